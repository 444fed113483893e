# SPDX-License-Identifier: Apache-2.0
"""`tabard token revoke`: a token counts no longer."""

from pathlib import Path

import pytest

from tabard_registry import Registry
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer

CREATE = ("token", "create", "ci", "--role", "publish", "--namespace", "acme", "--json")


@pytest.mark.parametrize("by", ["id", "name"])
def test_token_is_revoked(tabard: Tabard, place: Path, by: str) -> None:
    """By its id or by its name; the registry says so to every server."""
    made = tabard(*CREATE, "--registry", place).document

    ran = tabard("token", "revoke", made[by], "--reason", "over", "--registry", place)

    (token,) = Registry.open(str(place)).tokens()
    assert ran.out == f"token {made['id']} (ci) is revoked\n"
    assert (token.revoked, token.revoke_reason) == (True, "over")


@pytest.mark.parametrize("is_here", [True, False])
def test_repetition_says_nothing_changed(tabard: Tabard, place: Path, is_here: bool) -> None:
    """With the reason that stands."""
    where = ("--registry", place) if is_here else ()
    made = tabard(*CREATE, *where).document
    revoke = ("token", "revoke", made["id"], "--reason")

    tabard(*revoke, "over", *where)
    again = tabard(*revoke, "over again", *where)
    program = tabard(*revoke, "over again", "--json", *where)

    told = "nothing changed, and the reason was not taken"
    assert (again.code, again.out) == (
        0,
        f"{told}: token {made['id']} (ci) was revoked already: over\n",
    )
    assert program.document["changed"] is False


def test_reason_is_needed(tabard: Tabard, server: FakeServer) -> None:
    """Somebody will ask."""
    assert tabard("token", "revoke", "ci").code == 2
    assert server.state.requests == []


def test_unknown_token_is_not_found(tabard: Tabard, place: Path) -> None:
    """At a server and here."""
    for where in ((), ("--registry", place)):
        ran = tabard("token", "revoke", "none", "--reason", "r", *where)

        assert (ran.code, "TOKEN_NOT_FOUND" in ran.err) == (3, True)


def test_secret_is_not_sent_as_a_name(tabard: Tabard, server: FakeServer) -> None:
    """It would stand in logs; its id is enough."""
    secret = tabard(*CREATE).document["secret"]

    ran = tabard("token", "revoke", secret, "--reason", "it leaked")

    assert (ran.code, secret in ran.err) == (2, False)
    assert "name it by its id, 000000000000" in ran.err
    assert len(server.state.requests) == 1
