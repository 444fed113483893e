# SPDX-License-Identifier: Apache-2.0
"""Commands that read what a real registry wrote, against a real server: no fake stands between."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tabard.cli import run
from tabard_registry.trust.signatures import new_key_pair
from tests.e2e.conftest import RunningServer


@pytest.fixture
def at_server(tiny_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the command line at the server."""
    monkeypatch.setenv("TABARD_ADDRESS", tiny_server.address)
    monkeypatch.setenv("TABARD_ACTOR", "ann")


def test_author_signs_own_file(
    at_server: None,
    tiny_files: Mapping[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The manifest names the file's digest; another file, and an untrusted key, are refused."""
    key, mine, other = tmp_path / "ann.pem", tiny_files["style0"], tiny_files["style1"]
    key.write_bytes(new_key_pair().private_key_pem)
    release = "signed/style@1.0.0"
    assert run(["publish", "signed/style", str(mine), "--version", "1.0.0"]) == 0

    with_other = run(["sign", release, "--key", str(key), "--file", str(other)])
    told_of_other = capsys.readouterr().err
    with_mine = run(["sign", release, "--key", str(key), "--file", str(mine)])

    assert with_other != 0
    assert "KEY_NOT_FOUND" not in told_of_other
    assert with_mine != 0
    assert "KEY_NOT_FOUND" in capsys.readouterr().err


def test_import_may_be_repeated(
    at_server: None,
    tiny_files: Mapping[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is there already is known by its bytes and left alone."""
    folder = tmp_path / "ui"
    folder.mkdir()
    shutil.copy(tiny_files["style0"], folder / "watery.safetensors")
    command = ["import", str(folder), "--namespace", "mine", "--yes"]

    assert run(command) == 0
    capsys.readouterr()
    assert run(command) == 0
    assert "1 there" in capsys.readouterr().out


def test_weights_of_a_server_are_verified(
    at_server: None, tiny_server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every component of the base is hashed again, and is what it was."""
    assert run(["status", "--verify", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    names = [one["component"] for one in told["verification"]["components"]]
    assert names == ["text_encoder", "unet", "vae"]
    assert told["verification"]["is_sound"]
    assert (told["state"], told["causes"]) == ("serving", [])


def test_log_of_a_start_is_events(tiny_server: RunningServer) -> None:
    """Each line is JSON with an event, also what libraries say while they are imported."""
    said = tiny_server.log.read_text(encoding="utf-8").splitlines()

    events = [json.loads(line)["event"] for line in said[: said.index(_ready(said)) + 1]]

    assert events[0] == "server.state_entered"
    assert events[-1] == "server.ready"


def _ready(lines: list[str]) -> str:
    return next(line for line in lines if "server.ready" in line)
