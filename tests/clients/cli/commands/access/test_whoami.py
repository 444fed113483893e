# SPDX-License-Identifier: Apache-2.0
"""`tabard whoami`: who one is to a server."""

import pytest

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus


def test_identity_is_shown(tabard: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """To people and to programs."""
    monkeypatch.setenv("TABARD_TOKEN", "t0ken")

    shown, document = tabard("whoami"), tabard("whoami", "--json").document

    assert "ann" in shown.out and "a token" in shown.out
    assert "acme: publish, promote" in shown.out
    assert (document["name"], document["proof"]) == ("ann", "token")
    assert document["grants"] == {"acme": ["publish", "promote"]}


def test_nobody_is_asked(tabard: Tabard) -> None:
    """Without identity everybody may do everything, and that is said."""
    assert tabard("whoami").out == (
        "this server asks nobody who they are: everybody may do everything\n"
    )


def test_unknown_caller_is_told_what_to_do(tabard: Tabard, server: FakeServer) -> None:
    """In the server's words, with an exit code of its own."""
    server.state.fail_with = FakeStatus(
        16, "the token was revoked", "TOKEN_REVOKED", "ask an admin"
    )

    ran = tabard("whoami")

    assert (ran.code, ran.err) == (
        7,
        "error: the token was revoked\nreason: TOKEN_REVOKED\nhint: ask an admin\n",
    )


def test_missing_role_is_told(tabard: Tabard, server: FakeServer) -> None:
    """Known, and not allowed: the same exit code, another reason."""
    server.state.fail_with = FakeStatus(7, "ann has not promote in acme", "ROLE_MISSING", "ask")

    ran = tabard("promote", "acme/ink@1.0.0", "--json")

    assert (ran.code, ran.document["error"]["reason"]) == (7, "ROLE_MISSING")
    assert ran.document["error"]["status"] == "PERMISSION_DENIED"
