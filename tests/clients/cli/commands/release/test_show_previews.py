# SPDX-License-Identifier: Apache-2.0
"""`tabard show` shows what was drawn of a release when it was published, where a terminal can."""

import base64
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard_registry import AdapterRef
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import PATIENCE_SECONDS, RealServer, real_server
from tests.server.harness import lora_file

REF = "acme/ink@1.0.0"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """Run a server in a thread."""
    with real_server(tmp_path) as running:
        yield running


@pytest.fixture
def previews(tabard: Tabard, server: RealServer, tmp_path: Path) -> str:
    """Publish a release that is shown, and wait until it is; the digest of its document."""
    file = tmp_path / "ink.safetensors"
    file.write_bytes(lora_file())
    ran = tabard("publish", "acme/ink", file, "--version", "1.0.0", "--preview")
    assert ran.code == 0, ran.err
    ends = time.monotonic() + PATIENCE_SECONDS
    while (note := server.registry.state.find(AdapterRef.parse(REF)).health.newest("previews")) is (
        None
    ):
        assert time.monotonic() < ends
        time.sleep(0.01)
    return str(note.document)


def test_release_says_where_its_previews_are(tabard: Tabard, previews: str) -> None:
    """How they are fetched; as JSON the digest of their document."""
    ran, document = tabard("show", REF), tabard("show", REF, "--json").document

    assert document["release"]["previews_digest"] == previews
    assert previews[:19] in ran.out
    assert f"tabard evidence show {REF} --kind previews --save FOLDER" in " ".join(ran.out.split())
    assert "\x1b" not in ran.out


def test_previews_can_be_saved(tabard: Tabard, previews: str, tmp_path: Path) -> None:
    """As the line says: the document and four pictures."""
    folder = tmp_path / "shown"

    ran = tabard("evidence", "show", REF, "--kind", "previews", "--save", folder)

    assert ran.code == 0
    assert len(list(folder.glob("*.png"))) == 4
    assert json.loads((folder / "evidence.json").read_text())["kind"] == "previews"


def test_terminal_shows_pictures(
    tabard: Tabard, previews: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of them, below what is said of the release; none in what is piped or JSON."""
    monkeypatch.setenv("TERM_PROGRAM", "iTerm.app")
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("STY", raising=False)
    monkeypatch.delenv("KITTY_WINDOW_ID", raising=False)
    piped = tabard("show", REF)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ran, as_json = tabard("show", REF), tabard("show", REF, "--json")

    pictures = ran.out.split("\x1b]1337;")[1:]
    assert len(pictures) == 4
    content = pictures[0].partition(":")[2].partition("\x07")[0]
    assert base64.b64decode(content).startswith(b"\x89PNG")
    assert "\x1b]" not in piped.out + as_json.out


def test_purged_release_has_no_previews(
    tabard: Tabard, previews: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pictures went with it, and nobody is told to fetch them."""
    tabard("purge", REF, "--reason", "asked for", "--yes")
    monkeypatch.setenv("TERM_PROGRAM", "iTerm.app")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    ran = tabard("show", REF)

    assert ran.code == 0
    assert "purged" in ran.out
    assert "previews" not in ran.out
