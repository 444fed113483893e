# SPDX-License-Identifier: Apache-2.0
"""Before a release is withdrawn, whom it concerns is shown, and somebody says yes."""

import io

import pytest

from tests.clients.cli.conftest import Tabard

REF = "acme/watercolor@1.1.0"


class Keyboard(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", ["purge", "quarantine"])
def test_nobody_to_ask_is_a_usage_error(published: Tabard, command: str) -> None:
    """Without a terminal nothing happens, but what it would have concerned is shown."""
    ran = published(command, REF, "--reason", "r")

    assert (ran.code, "add --yes" in ran.err) == (2, True)
    assert "acme/mix@1.0.0" in ran.err
    assert "(" not in published("list").out


def test_program_is_told_what_is_concerned(published: Tabard) -> None:
    """It reads the error alone: lists and numbers, and no sentence to take apart."""
    error = published("purge", REF, "--reason", "r", "--json").document["error"]

    told = error["dependents"]
    assert (told["channels"], told["recipes"]) == (["stable"], ["acme/mix@1.0.0"])
    assert (told["recipe_count"], told["job_count"]) == (3, 2)
    assert (told["release"]["version"], error["exit_code"]) == ("1.1.0", 2)


@pytest.mark.parametrize("command", ["purge", "quarantine"])
def test_what_is_concerned_is_shown_first(
    published: Tabard, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Channels, recipes and jobs; a no leaves everything as it is."""
    monkeypatch.setattr("sys.stdin", Keyboard("n\n"))

    ran = published(command, REF, "--reason", "r")

    assert (ran.code, "you said no: acme/watercolor 1.1.0 stays as it is" in ran.err) == (11, True)
    lines = [" ".join(line.split()) for line in ran.err.splitlines()]
    assert lines[:4] == [
        "acme/watercolor 1.1.0 is used by",
        "channels stable",
        "recipes acme/mix@1.0.0 and 2 more",
        "jobs here 2 that will be cut off",
    ]
    assert "(" not in published("list").out


def test_yes_at_the_terminal_is_enough(published: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the channel that still points there is marked."""
    monkeypatch.setattr("sys.stdin", Keyboard("y\n"))

    assert published("quarantine", REF, "--reason", "r").code == 0
    assert "stable → 1.1.0 (quarantined!)" in published("list").out


def test_sure_people_are_still_told(published: Tabard) -> None:
    """With --yes what is concerned is shown, and nobody is asked; quiet ones see nothing."""
    told = published("quarantine", REF, "--reason", "r", "--yes")
    quiet = published("purge", REF, "--reason", "r", "--yes", "--quiet")

    assert (told.code, "acme/mix@1.0.0" in told.err) == (0, True)
    assert (quiet.code, quiet.err) == (0, "")
