# SPDX-License-Identifier: Apache-2.0
"""`tabard lookup` says which release drew a picture and how, or plainly that nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tabard_registry import AdapterRef, sha256_bytes
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.report import Candidate
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import ANN, grid, report_on
from tests.server.evidence.pictures import noise


@pytest.fixture
def drawn(tabard: Tabard, server: RealServer, tmp_path: Path) -> Path:
    """A picture that a release drew, and that its report shows."""
    server.publish("acme/ink")
    said = ("--adapter", "acme/ink@1.0.0", "--seed", 7, "--steps", 2, "--out", tmp_path / "out")
    assert tabard("generate", "a red circle", *said).code == 0
    file = next((tmp_path / "out").glob("*.png"))
    release = server.registry.state.find(AdapterRef.parse("acme/ink@1.0.0"))
    png = file.read_bytes()
    report = report_on(release, candidates=(Candidate(image=sha256_bytes(png), prompt=3, seed=7),))
    server.registry.evidence.put(report, author=ANN, blobs=[png, to_bytes(grid())])
    return file


def smaller(file: Path, folder: Path) -> Path:
    """The same picture, saved again and smaller, without its words."""
    target = folder / "again.jpg"
    with Image.open(file) as image:
        image.convert("RGB").resize((56, 56)).save(target, "JPEG", quality=90)
    return target


def test_file_says_it_itself(tabard: Tabard, drawn: Path) -> None:
    """And is known here as well."""
    ran = tabard("lookup", drawn)

    assert ran.code == 0
    assert "the file says itself how it was made" in ran.out
    assert "the same file in evidence" in ran.out
    assert "acme/ink@1.0.0:1.0" in ran.out
    assert ran.out.count("a red circle") == 1


def test_picture_without_words_is_found(tabard: Tabard, drawn: Path, tmp_path: Path) -> None:
    """By its looks; the recipe is that of the kept file."""
    sent = smaller(drawn, tmp_path)
    ran, document = tabard("lookup", sent), tabard("lookup", sent, "--json").document

    assert ran.code == 0
    assert "looks the same in evidence" in ran.out
    assert "candidate (prompt 3, seed 7)" in ran.out
    assert document["recipe"]["prompt"] == "a red circle"
    assert document["is_of_the_file"] is False


def test_unknown_picture_is_told_plainly(tabard: Tabard, drawn: Path, tmp_path: Path) -> None:
    """With how near the nearest one is, and an exit code of its own."""
    file = tmp_path / "noise.png"
    file.write_bytes(noise(1, side=64))

    ran = tabard("lookup", file)

    assert ran.code == 3
    assert "not found among 1 pictures of evidence; the nearest differs in " in ran.out
    assert tabard("lookup", file, "--json").document["matches"] == []


def test_absent_file_is_refused(tabard: Tabard, tmp_path: Path) -> None:
    """Before a server is asked."""
    assert tabard("lookup", tmp_path / "absent.png").code == 4
