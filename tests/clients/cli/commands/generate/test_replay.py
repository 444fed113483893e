# SPDX-License-Identifier: Apache-2.0
"""`tabard replay` says how equal the new image is, by its words and by its exit code."""

from pathlib import Path

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus


def drawn(tabard: Tabard, folder: Path) -> Path:
    said = ("--seed", 7, "--steps", 4, "--deterministic", "--out", folder)
    assert tabard("generate", "A red circle!", *said).code == 0
    return next(folder.glob("*.png"))


def test_same_file_is_told(published: Tabard, tmp_path: Path) -> None:
    """The image again exits with 0 and is kept where it is asked for."""
    file = drawn(published, tmp_path / "images")

    ran = published("replay", file, "--out", tmp_path / "again", "--json")

    assert ran.code == 0
    assert (ran.document["outcome"], ran.document["differences"]) == ("same_file", [])
    assert Path(ran.document["file"]).read_bytes() == file.read_bytes()


def test_other_image_is_told(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """Another image exits with 12, and what differs stands in a table."""
    file = drawn(published, tmp_path)
    server.state.base_fingerprint = "sha256:another"

    ran = published("replay", file)

    assert ran.code == 12
    assert "another image" in ran.out and "sha256:another" in ran.out
    assert "pixels differ by" in ran.out and "base.fingerprint" in ran.out


def test_refusal_is_told(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """What cannot be drawn exits with the code of the refusal; no folder is left behind."""
    file = drawn(published, tmp_path)
    server.state.fail_accepted_with = FakeStatus(9, "it was purged", "RELEASE_PURGED")

    ran = published("replay", file, "--out", tmp_path / "again", "--json")

    assert ran.code == 5
    assert ran.document["refusal"]["reason"] == "RELEASE_PURGED"
    assert not (tmp_path / "again").exists()


def test_foreign_file_is_refused(tabard: Tabard, tmp_path: Path) -> None:
    """A file that says nothing is refused before a server is asked."""
    file = tmp_path / "x.png"
    file.write_bytes(b"no picture")

    ran = tabard("replay", file)

    assert ran.code == 4
    assert "NOT_A_PICTURE" in ran.err
