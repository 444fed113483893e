# SPDX-License-Identifier: Apache-2.0
"""`tabard promote`: a channel moves, or is told to be there already."""

from tabard.cli import exit_codes
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_moves_are_json(published: Tabard) -> None:
    """A script reads where the channel was and is."""
    promoted = published(
        "promote", "acme/watercolor@1.0.0", "--channel", "canary", "--expect", "none", "--json"
    ).document
    rolled = published("rollback", "acme/watercolor", "--reason", "r", "--json").document

    assert (promoted["channel"], promoted["version"], promoted["moved"]) == (
        "canary",
        "1.0.0",
        True,
    )
    assert (rolled["previous_version"], rolled["version"]) == ("1.1.0", "1.0.0")


def test_promote_without_move_says_so(published: Tabard) -> None:
    """Promoting what is there already is no error."""
    assert "nothing moved" in published("promote", "acme/watercolor@1.1.0").out


def test_promote_passes_expectation_on(published: Tabard, server: FakeServer) -> None:
    """The channel moves only from where it was seen; else nothing moves."""
    ran = published("promote", "acme/watercolor@1.0.0", "--expect", "none", "--reason", "r")

    request = server.state.requests[-1]
    assert (ran.code, "reason: EXPECT_MISMATCH" in ran.err) == (exit_codes.PRECONDITION, True)
    assert (request.expect_digest, request.reason, request.channel) == ("none", "r", "stable")
