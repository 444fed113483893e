# SPDX-License-Identifier: Apache-2.0
"""`tabard demo`: it says that it held, fails when it did not, and can be stopped."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tabard.cli.demo import demo as command
from tabard.cli.demo.demo import ACTOR, stopped_by_signals
from tabard.cli.demo.proof import Proof
from tests.clients.cli.conftest import Tabard
from tests.clients.cli.demo.performance import performed
from tests.clients.fakes.server import FakeServer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_block(number: signal.Signals) -> None:
    """Being told to stop ends a demo as Ctrl-C does, and only inside the block."""
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        signal.raise_signal(number)

    assert signal.getsignal(number) is before


def test_export_answers_with_its_folders(
    adapters: Path, tabard: Tabard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server is started for it."""
    (adapters.parent / "base").mkdir()
    monkeypatch.setattr(command, "find_material", lambda: adapters.parent)

    ran = tabard("demo", "--export", tmp_path / "exported", "--json")

    assert ran.code == 0
    assert Path(ran.document["adapters"], "index.json").is_file()
    assert Path(ran.document["base"]).is_dir()


@pytest.mark.parametrize("option", ["--out", "--seed"])
def test_export_takes_nothing_of_a_show(tabard: Tabard, tmp_path: Path, option: str) -> None:
    """What would have no effect is refused, and nothing is copied."""
    ran = tabard("demo", "--export", tmp_path / "exported", option, "7")

    assert (ran.code, f"{option} says nothing to --export" in ran.err) == (2, True)
    assert not (tmp_path / "exported").exists()


@pytest.fixture
def demo(
    server: FakeServer, adapters: Path, tabard: Tabard, monkeypatch: pytest.MonkeyPatch
) -> Tabard:
    """Give the command line, whose demo speaks with the fake server."""

    def perform(folder: Path, **how: Any) -> tuple[Proof, Any]:
        return performed(server, adapters, folder)

    monkeypatch.setattr(command, "find_material", lambda: adapters.parent)
    monkeypatch.setattr(command, "perform", perform)
    return tabard


def test_demo_that_held_says_so(demo: Tabard, tmp_path: Path) -> None:
    """The claim, how fast, and where to look."""
    ran = demo("demo", "--out", tmp_path / "out")

    assert ran.code == 0
    assert "the demo held" in ran.out
    assert str(tmp_path / "out" / "contact-sheet.png") in ran.out
    assert "identical to those before: yes" in ran.err


def test_help_promises_what_is_left(tabard: Tabard) -> None:
    """Only the plain demo keeps its images as files; the other one's stand in the registry."""
    said = " ".join(tabard("demo", "--help").out.split())

    assert "without --release-health also images/" in said


def test_demo_that_did_not_hold_exits_one(demo: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """With what did not hold, and what to look at."""
    server.state.is_rollback_broken = True

    ran = demo("demo", "--out", tmp_path / "out")

    assert (ran.code, "reason: DEMO_FAILED" in ran.err) == (1, True)
    assert "the images after the rollback differ from those before" in ran.err
    assert "identical to those before: NO" in ran.err


@pytest.mark.parametrize("seed", [2**64 - 3, 10**30, -1])
def test_seed_that_cannot_be_is_told_at_once(demo: Tabard, tmp_path: Path, seed: int) -> None:
    """Before a folder is made and a server started: the option, the value and the bounds."""
    ran = demo("demo", "--seed", seed, "--out", tmp_path / "out")

    assert (ran.code, (tmp_path / "out").exists()) == (2, False)
    assert f"'--seed': {seed} is not in the range 0<=x<={2**64 - 4}" in ran.err


def test_demo_acts_under_its_own_name(server: FakeServer, adapters: Path, tmp_path: Path) -> None:
    """Nobody's history says that a person did it."""
    performed(server, adapters, tmp_path / "out")

    assert {record.actor for record in server.state.records} == {ACTOR}
