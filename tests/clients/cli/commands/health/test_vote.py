# SPDX-License-Identifier: Apache-2.0
"""`tabard vote`: pairs one after the other, by keyboard or by a script."""

from __future__ import annotations

import io
from pathlib import Path

import click
import pytest

from tabard.cli import exit_codes
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer
from tests.server.reviewing.blind_reports import file_report

REF = "acme/ink@1.0.0"


@pytest.fixture
def folder(server: RealServer, tmp_path: Path) -> Path:
    """Three pairs on a server, and where their pictures go."""
    before = server.publish("acme/ink", "0.9.0")
    file_report(server.registry, server.publish("acme/ink"), against=before, cells=3)
    return tmp_path / "pairs"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Somebody, or a pipe, types that."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_pairs_come_until_none_is_left(
    tabard: Tabard, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no key is asked again; each vote tells the sides; pictures have names that do not."""
    typed(monkeypatch, "x\n\na\nB\nt\n")

    ran = tabard("vote", REF, "--out", folder)
    again = tabard("vote", REF, "--out", folder)

    assert (ran.code, ran.out) == (0, "3 votes, and no pair is left\n")
    assert ran.err.count("a, b, t (tie), n (neither) or q?") == 3
    assert ran.err.count("you chose") == ran.err.count(": A was the release, B was") + (
        ran.err.count(": A was what it replaces, B was")
    )
    assert "pair 3 of 3" in ran.err and "you chose neither" in ran.err
    names = sorted(one.name for one in folder.iterdir())
    assert len(names) == 6 and {one[-6:] for one in names} == {"-A.png", "-B.png"}
    assert again.out == "0 votes, and no pair is left\n"


def test_voter_stops(tabard: Tabard, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By q, or by the end of the input; the next time goes on there."""
    typed(monkeypatch, "a\nq\nb\n")
    first = tabard("vote", REF, "--out", folder)
    typed(monkeypatch, "b\n")
    second = tabard("vote", REF, "--out", folder)

    assert first.out == "1 votes; 2 pairs are left\n"
    assert second.out == "1 votes; 1 pairs are left\n"


def test_terminal_needs_one_key(
    tabard: Tabard, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Enter; and with --open a viewer shows both."""
    keys, opened = iter("tq"), []
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr(click, "getchar", lambda: next(keys))
    monkeypatch.setattr(click, "launch", lambda path: opened.append(Path(path).exists()))

    ran = tabard("vote", REF, "--out", folder, "--open")

    assert (ran.code, ran.out) == (0, "1 votes; 2 pairs are left\n")
    assert opened == [True] * 4


def test_script_asks_and_votes(tabard: Tabard, folder: Path) -> None:
    """One document each; what it is told before the vote does not name the sides."""
    asked = tabard("vote", REF, "--out", folder, "--json")
    pair = asked.document["pair"]["pair"]
    voted = tabard("vote", REF, "--pair", pair, "--choice", "b", "--json").document
    twice = tabard("vote", REF, "--pair", pair, "--choice", "a")

    assert "candidate" not in asked.out and "baseline" not in asked.out
    assert all(Path(one).is_file() for one in asked.document["pictures"].values())
    assert (voted["chosen"], voted["voted_count"]) == (voted["b"], 1)
    assert (twice.code, "VOTE_UNBLINDED" in twice.err) == (exit_codes.PRECONDITION, True)
    for _ in range(2):
        following = tabard("vote", REF, "--out", folder, "--json").document["pair"]["pair"]
        tabard("vote", REF, "--pair", following, "--choice", "tie")
    assert tabard("vote", REF, "--out", folder, "--json").document == {"pair": None}


@pytest.mark.parametrize("arguments", [("--pair", "p"), ("--choice", "a"), ("--choice", "c")])
def test_pair_and_choice_go_together(
    tabard: Tabard, server: RealServer, arguments: tuple[str, ...]
) -> None:
    """A wrong command line otherwise."""
    assert tabard("vote", REF, *arguments).code == exit_codes.USAGE


def test_other_files_stay(tabard: Tabard, folder: Path) -> None:
    """What lies there under a picture's name is not overwritten."""
    pair = tabard("vote", REF, "--out", folder, "--json").document["pair"]["pair"]
    mine = folder / f"{pair[:12]}-A.png"
    mine.write_bytes(b"mine")

    ran = tabard("vote", REF, "--out", folder, "--json")

    assert (ran.code, mine.read_bytes()) == (exit_codes.PRECONDITION, b"mine")
