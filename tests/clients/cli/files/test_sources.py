# SPDX-License-Identifier: Apache-2.0
"""Folders and names become the files of one adapter, or a refusal that says what is ambiguous."""

from pathlib import Path

import pytest

from tabard import InvalidArgument
from tabard.cli.files.grouping import choose_files
from tabard.cli.files.hub import HubId, parse_hub_id
from tabard.cli.files.sources import find_files
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes import FakeServer

CHOSEN = {
    "peft": (
        ["adapter_model.safetensors", "adapter_config.json", "README.md"],
        ("adapter_model.safetensors", "adapter_config.json"),
    ),
    "peft in both forms": (
        ["adapter_model.bin", "adapter_model.safetensors", "adapter_config.json"],
        ("adapter_model.safetensors", "adapter_config.json"),
    ),
    "diffusers": (
        ["pytorch_lora_weights.safetensors", "image_0.png"],
        ("pytorch_lora_weights.safetensors",),
    ),
    "pickled": (["pytorch_lora_weights.bin"], ("pytorch_lora_weights.bin",)),
    "embedding": (["learned_embeds.bin", "token_identifier.txt"], ("learned_embeds.bin",)),
    "embedding for two": (
        ["learned_embeds.safetensors", "learned_embeds_2.safetensors", "learned_embeds.bin"],
        ("learned_embeds.safetensors", "learned_embeds_2.safetensors"),
    ),
    "the only one": (["style.safetensors", "style.png", "notes.txt"], ("style.safetensors",)),
    "the only pickle": (["style.PT", "x.yaml"], ("style.PT",)),
    "safe before pickled": (["a.safetensors", "b.pt"], ("a.safetensors",)),
}


@pytest.mark.parametrize("case", CHOSEN)
def test_files_that_belong_together(case: str) -> None:
    """Names that trainers give decide."""
    names, chosen = CHOSEN[case]

    assert choose_files(names, where="the folder") == chosen


@pytest.mark.parametrize(
    ("names", "reason", "says"),
    [
        (["a.safetensors", "b.safetensors"], "AMBIGUOUS_FOLDER", "a.safetensors, b.safetensors"),
        (["a.pt", "b.bin"], "AMBIGUOUS_FOLDER", "a.pt, b.bin"),
        (
            ["adapter_model.safetensors", "pytorch_lora_weights.safetensors"],
            "AMBIGUOUS_FOLDER",
            "pytorch_lora_weights.safetensors",
        ),
        (["model_index.json", "x.safetensors"], "NOT_AN_ADAPTER", "pipeline"),
        (["readme.txt"], "NOT_AN_ADAPTER", "no adapter"),
        ([], "NOT_AN_ADAPTER", "no adapter"),
    ],
)
def test_ambiguous_folder_is_refused(names: list[str], reason: str, says: str) -> None:
    """Nothing is guessed; the candidates are named."""
    with pytest.raises(InvalidArgument, match=says) as refused:
        choose_files(names, where="the folder")

    assert (refused.value.reason, bool(refused.value.hint)) == (reason, True)


def test_publish_takes_a_folder(tabard: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """A PEFT folder is published with its configuration."""
    folder = tmp_path / "run-7"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_bytes(b"{}")
    (folder / "README.md").write_bytes(b"read me")

    ran = tabard("publish", "acme/a", folder, "--version", "1.0.0", "--json")

    assert ran.code == 0
    assert ran.document["release"]["original_bytes"] == len(b"weights{}")


def test_ambiguous_folder_exits_four(tabard: Tabard, tmp_path: Path) -> None:
    """The command says which files it could be."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"x")

    ran = tabard("publish", "acme/a", tmp_path, "--version", "1.0.0")

    assert (ran.code, "a.safetensors, b.safetensors" in ran.err) == (4, True)


def test_folder_stands_alone(tmp_path: Path) -> None:
    """A folder beside a file is no one adapter."""
    with pytest.raises(InvalidArgument, match="beside other files"):
        find_files([str(tmp_path), "x.safetensors"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hf:owner/name", HubId(repo="owner/name")),
        ("owner/name", HubId(repo="owner/name")),
        ("owner/name@v1.2", HubId(repo="owner/name", revision="v1.2")),
        ("hf:o/n@refs/pr/3:sub/x.pt", HubId(repo="o/n", revision="refs/pr/3", file="sub/x.pt")),
        ("owner/name:x.safetensors", HubId(repo="owner/name", file="x.safetensors")),
        ("models/x.safetensors", None),
        ("x.safetensors", None),
        ("/owner/name", None),
        ("../owner/name", None),
    ],
)
def test_hub_ids(text: str, found: HubId | None) -> None:
    """Paths of files that are not there are no repositories."""
    assert parse_hub_id(text) == found


def test_malformed_hub_id_is_refused() -> None:
    """Who says hf: means the hub."""
    with pytest.raises(InvalidArgument, match="no repository"):
        parse_hub_id("hf:name")
