# SPDX-License-Identifier: Apache-2.0
"""What the demo's index and report say of its files is what the recipe writes and the files are."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors import safe_open

from tabard_registry.intake.report.sampling_words import sampling_said
from tabard_registry.release.sampling import Sampling
from tests.root import ROOT

RECIPE = ROOT / "deploy" / "demo"
ADAPTERS = ROOT / "server" / "tabard_server" / "demo" / "adapters"
ENTRIES = json.loads((ADAPTERS / "index.json").read_text(encoding="utf-8"))
DOWN = ("lora_A.weight", "lora.down.weight", "lora_down.weight")


def constant(file: str, name: str) -> object:
    """Return the literal that a module of the recipe assigns to a name."""
    module = ast.parse((RECIPE / file).read_text(encoding="utf-8"))
    return next(
        ast.literal_eval(line.value)
        for line in module.body
        if isinstance(line, ast.AnnAssign | ast.Assign)
        and line.value is not None
        and name in {one.id for one in ast.walk(line) if isinstance(one, ast.Name)}
    )


def ranks(file: Path) -> set[int]:
    """Return the ranks of a LoRA's layers."""
    with safe_open(file, framework="pt") as tensors:
        names = [name for name in tensors.keys() if name.endswith(DOWN)]  # noqa: SIM118
        return {tensors.get_slice(name).get_shape()[0] for name in names}


def said_in_report() -> Iterator[tuple[str, int]]:
    """Yield file and rank of every row of REPORT.md that says a rank."""
    text = (RECIPE / "REPORT.md").read_text(encoding="utf-8")
    for name, version, rank in re.findall(r"^\| (\w+) ([\d.]+) \|.*?rank (\d+)", text, re.M):
        yield f"{name}-{version}.safetensors", int(rank)


def test_index_is_what_the_recipe_writes() -> None:
    """Running the recipe again changes no word of the index."""
    assert constant("adapters.py", "INDEX") == ENTRIES


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_notes_say_the_rank_of_the_file(entry: dict[str, str]) -> None:
    """Every LoRA says its rank, and it is the file's; an embedding has none."""
    said = {int(rank) for rank in re.findall(r"rank (\d+)", entry["notes"])}

    assert said == ranks(ADAPTERS / entry["file"])


def test_few_steps_say_so_themselves() -> None:
    """A header of LCM is known as such, and its author declares nothing that contradicts it."""
    (entry,) = (one for one in ENTRIES if "samplers" in one.get("sampling", {}))
    with safe_open(ADAPTERS / entry["file"], framework="pt") as file:
        found = sampling_said(file.metadata(), family="sd1")

    declared = Sampling.from_json(entry["sampling"])
    assert found.sources == ("LCM",)
    assert declared.is_few_step and found.is_few_step
    assert declared.samplers == found.samplers
    assert declared.steps.recommended == found.steps.recommended == 4
    assert declared.guidance.recommended == found.guidance.recommended == 1


def test_report_says_the_ranks_of_the_files() -> None:
    """So does the report's table."""
    said = dict(said_in_report())

    assert len(said) >= 3
    assert {file: {rank} for file, rank in said.items()} == {
        file: ranks(ADAPTERS / file) for file in said
    }
