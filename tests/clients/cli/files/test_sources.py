# SPDX-License-Identifier: Apache-2.0
"""An author names files, a folder or a repository; what is ambiguous is refused."""

from pathlib import Path

import pytest

from tabard import InvalidArgument
from tabard.cli.files.sources import find_files, with_source
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


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


def test_source_stands_in_the_notes() -> None:
    """Only what was downloaded has one."""
    assert with_source("soft", source="hf:a/b@1:x") == "soft\nsource: hf:a/b@1:x"
    assert with_source("", source="hf:a/b@1:x") == "source: hf:a/b@1:x"
    assert with_source("soft", source="") == "soft"
