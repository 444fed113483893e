# SPDX-License-Identifier: Apache-2.0
"""What the commands that withdraw a release have in common: the act is told, with its reason."""

import pytest

from tests.clients.cli.conftest import Tabard

REF = "acme/watercolor@1.0.0"


@pytest.mark.parametrize(
    ("command", "said", "flag"),
    [
        ("yank", "yanked acme/watercolor 1.0.0: why not", "yanked: why not"),
        ("quarantine", "quarantined acme/watercolor 1.0.0: why not", "quarantined: why not"),
        ("purge", "purged acme/watercolor 1.0.0: why not", "purged: why not"),
    ],
)
def test_withdrawal_is_shown(published: Tabard, command: str, said: str, flag: str) -> None:
    """The act is told, and whoever looks at the release reads why."""
    ran = published(command, REF, "--reason", "why not", *(["--yes"] if command != "yank" else []))

    assert (ran.code, said in ran.out) == (0, True)
    assert flag in published("show", "acme/watercolor").out
    assert flag in published("show", REF).out


@pytest.mark.parametrize("command", ["yank", "unyank", "quarantine", "lift", "purge"])
def test_withdrawal_needs_reason(published: Tabard, command: str) -> None:
    """Nobody withdraws anything without saying why."""
    assert published(command, REF).code == 2


@pytest.mark.parametrize(
    ("command", "times", "how"),
    [
        ("yank", 2, "was yanked already: reason 0"),
        ("unyank", 1, "is not yanked"),
        ("quarantine", 2, "was quarantined already: reason 0"),
        ("lift", 1, "is not quarantined"),
        ("purge", 2, "was purged already: reason 0"),
    ],
)
def test_repetition_says_that_no_reason_was_taken(
    published: Tabard, command: str, times: int, how: str
) -> None:
    """With the one that stands."""
    sure = ["--yes"] if command in ("quarantine", "purge") else []

    ran = [published(command, REF, "--reason", f"reason {n}", *sure) for n in range(times)][-1]

    told = "nothing changed, and the reason was not taken: acme/watercolor 1.0.0"
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"{told} {how}")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("yank", "stable points to it still, and whoever asks by channel is refused"),
        ("quarantine", "stable points to it still, and whoever asks by channel is refused"),
        ("purge", "stable points to it still, and whoever asks by channel is refused"),
        ("unyank", "stable points to it"),
        ("lift", "stable points to it"),
    ],
)
def test_answer_says_what_points_there(published: Tabard, command: str, told: str) -> None:
    """Whoever is served by that channel is not helped by the act alone."""
    sure = ["--yes"] if command in ("quarantine", "purge") else []
    act = (command, "--reason", "r", *sure)

    pointed = published(*act, "acme/watercolor@1.1.0")
    unpointed = published(*act, "acme/watercolor@1.0.0", "--json")

    assert told in pointed.out
    assert unpointed.document["channels"] == []


def test_undone_yank_says_who_is_served(published: Tabard) -> None:
    """The channel was never moved."""
    for command in ("yank", "unyank"):
        ran = published(command, "acme/watercolor@1.1.0", "--reason", "r")

    assert "stable points to it: who asks by channel gets it again" in ran.out
