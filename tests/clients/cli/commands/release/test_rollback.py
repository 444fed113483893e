# SPDX-License-Identifier: Apache-2.0
"""`tabard rollback`: the release before is served again, and the history says why."""

from pathlib import Path

from tests.clients.cli.conftest import Tabard


def test_rollback_moves_and_is_recorded(published: Tabard) -> None:
    """The move is told, and the history keeps who and why."""
    ran = published("rollback", "acme/watercolor", "--reason", "muddy")
    history = published("history", "acme/watercolor")

    assert ran.out == "acme/watercolor stable: 1.1.0 → 1.0.0 (seq 5)\n"
    last = history.out.splitlines()[-1]
    assert all(word in last for word in ("rollback", "alice", "muddy", "stable"))


def test_rollback_without_past_exits_five(tabard: Tabard, style_file: Path) -> None:
    """There must be something to return to."""
    tabard("publish", "acme/a", style_file, "--version", "1.0.0")
    tabard("promote", "acme/a@1.0.0")

    ran = tabard("rollback", "acme/a", "--reason", "r")

    assert (ran.code, "NOTHING_TO_ROLL_BACK" in ran.err) == (5, True)


def test_rollback_to_a_ref_is_told_as_it_is_written(published: Tabard) -> None:
    """What one would try first, after a promotion."""
    ran = published("rollback", "acme/watercolor@1.0.0", "--reason", "r")

    assert (ran.code, "tabard rollback acme/watercolor --to 1.0.0" in ran.err) == (2, True)
