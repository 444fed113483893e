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
    assert (ran.code, ran.out) == (0, f"{told} {how}\n")
