# SPDX-License-Identifier: Apache-2.0
"""`tabard references publish` keeps a folder of pictures beside a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer
from tests.server.evidence.pictures import noise
from tests.server.harness import lora_file

REF = "acme/ink@1.0.0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of four pictures."""
    place = tmp_path / "pictures"
    place.mkdir()
    for number in range(4):
        (place / f"{number}.png").write_bytes(noise(number))
    return place


def test_folder_is_kept(tabard: Tabard, server: RealServer, folder: Path) -> None:
    """Said again nothing changes."""
    server.publish("acme/ink")
    first, again = (tabard("references", "publish", REF, folder) for _ in range(2))

    assert (first.code, again.code) == (0, 0)
    assert first.out.startswith("4 references: sha256:")
    assert again.out == f"nothing changed: {first.out}"
    shown = tabard("evidence", "show", REF, "--kind", "references")
    assert "4 pictures" in shown.out


def test_training_is_told(tabard: Tabard, server: RealServer, folder: Path) -> None:
    """Of embeddings as well."""
    server.publish("acme/ink")

    ran = tabard("references", "publish", REF, folder, "--training", "--embeddings-only", "--json")

    assert ran.document["note"]["kind"] == "training"
    shown = tabard("evidence", "show", REF, "--kind", "training")
    assert "embeddings of 1 encoders" in shown.out and "0 pictures" in shown.out


def test_unreadable_picture_is_named(tabard: Tabard, server: RealServer, folder: Path) -> None:
    """By its file."""
    server.publish("acme/ink")
    (folder / "2.png").write_bytes(b"no picture")

    ran = tabard("references", "publish", REF, folder)

    assert ran.code == 4
    assert "PICTURE_UNREADABLE" in ran.err and "'2.png'" in ran.err


def test_release_is_published_with_them(
    tabard: Tabard, server: RealServer, folder: Path, tmp_path: Path
) -> None:
    """In one command; said again nothing changes."""
    file = tmp_path / "ink.safetensors"
    file.write_bytes(lora_file())
    said = ("publish", "acme/ink", file, "--version", "1.0.0")

    ran = tabard(*said, "--references", folder, "--training", folder)
    again = tabard(*said, "--references", folder, "--json")

    assert ran.code == 0
    assert "4 references: " in ran.out and "4 training pictures: " in ran.out
    assert again.document["references"]["created"] is False
    assert "training" not in again.document
