# SPDX-License-Identifier: Apache-2.0
"""A folder knows its own images again, and takes nothing else for one."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tabard.cli.commands.health.comparison_folder import ComparisonFolder
from tabard.errors import FailedPrecondition
from tabard.health.compared import ComparedImage, ComparisonCell, ComparisonPlan, ComparisonSide
from tabard.result import GeneratedImage

INK = ComparisonSide(
    ref="acme/ink", adapter="acme/ink", version="1.0.0", digest="sha256:1", weight=0.8, word="ink"
)
PLAN = ComparisonPlan(sides=(ComparisonSide(ref=""), INK), prompts=("a cat {trigger}",), seeds=(7,))


def png_of(cell: ComparisonCell) -> bytes:
    chunks, sink = PngImagePlugin.PngInfo(), io.BytesIO()
    chunks.add_text("tabard", json.dumps({"prompt": cell.prompt, "seed": cell.seed}))
    Image.new("RGB", (8, 8)).save(sink, format="PNG", pnginfo=chunks)
    return sink.getvalue()


def drawn(cell: ComparisonCell) -> ComparedImage:
    image = GeneratedImage(index=0, seed=cell.seed, content=png_of(cell), provenance_json="{}")
    return ComparedImage(cell=cell, image=image, worn=())


def folder_of(path: Path, plan: ComparisonPlan = PLAN, *, base: str = "b") -> ComparisonFolder:
    return ComparisonFolder(path, plan=plan, base_fingerprint=base)


def test_images_are_found_again(tmp_path: Path) -> None:
    """By a new folder of the same plan; a name says prompt, side and seed."""
    folder = folder_of(tmp_path)
    for cell in PLAN.cells:
        folder.keep(drawn(cell))

    assert folder_of(tmp_path).found == set(PLAN.cells)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0].startswith("a-cat--base--7--")
    assert names[1].startswith("a-cat-ink--acme-ink-1.0.0-at-0.8--7--")


def test_long_names_make_files_all_the_same(tmp_path: Path) -> None:
    """No file system takes more than 255 bytes; the key tells them apart."""
    long = [
        replace(INK, version=f"1.0.0-{'rc' * 120}{number}", digest=str(number)) for number in (1, 2)
    ]
    plan = ComparisonPlan(sides=tuple(long), prompts=("word " * 100,), seeds=(7,))
    folder = folder_of(tmp_path, plan)

    for cell in plan.cells:
        folder.keep(drawn(cell))

    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("changes", "base"),
    [
        ({}, "another"),
        ({"options": {"num_inference_steps": 4}}, "b"),
        ({"sides": (ComparisonSide(ref="", word="dog"),)}, "b"),
    ],
)
def test_what_shapes_an_image_names_it(tmp_path: Path, changes: dict[str, Any], base: str) -> None:
    """Another base, another option, another word: other images."""
    folder = folder_of(tmp_path)
    for cell in PLAN.cells:
        folder.keep(drawn(cell))
    said = {"sides": PLAN.sides, "prompts": PLAN.prompts, "seeds": PLAN.seeds} | changes

    assert folder_of(tmp_path, ComparisonPlan(**said), base=base).found == set()


def test_what_shapes_nothing_does_not(tmp_path: Path) -> None:
    """Who goes first, and how long is waited, are none of an image's."""
    folder = folder_of(tmp_path)
    folder.keep(drawn(PLAN.cells[0]))
    options = {"priority": "low", "timeout_seconds": 3.0, "sampler": "", "width": None}
    plan = ComparisonPlan(sides=PLAN.sides, prompts=PLAN.prompts, seeds=PLAN.seeds, options=options)

    assert folder_of(tmp_path, plan).found == {PLAN.cells[0]}


def test_image_of_another_prompt_is_none(tmp_path: Path) -> None:
    """Whatever it is called: a file is believed by what it says of itself."""
    folder = folder_of(tmp_path)
    first, second = PLAN.cells
    folder.file(first).write_bytes(png_of(second))
    folder.file(second).write_bytes(png_of(second)[:-20])

    assert folder_of(tmp_path).found == set()


def test_index_of_something_else_stays(tmp_path: Path) -> None:
    """A web page's folder of images may well have an index.json."""
    (tmp_path / "index.json").write_text('{"format": "album"}', encoding="utf-8")

    with pytest.raises(FailedPrecondition) as caught:
        folder_of(tmp_path)

    assert caught.value.reason == "FOLDER_OCCUPIED"


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Before anything is drawn."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(FailedPrecondition) as caught:
        folder_of(tmp_path / "file")

    assert caught.value.reason == "FOLDER_UNWRITABLE"


def test_index_names_what_is_there(tmp_path: Path) -> None:
    """Which file shows what, and how many are missing; nothing half-written stays."""
    folder = folder_of(tmp_path)
    folder.keep(drawn(PLAN.cells[1]))

    index = folder.write_index(also={"sheet": None})

    assert index["missing"] == 1
    (cell,) = index["cells"]
    assert (cell["side"], cell["prompt"], cell["drawn_prompt"]) == (1, 0, "a cat ink")
    assert (tmp_path / cell["file"]).is_file()
    assert json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))["missing"] == 1
    assert not list(tmp_path.glob(".*"))
