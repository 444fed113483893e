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
