# SPDX-License-Identifier: Apache-2.0
"""`tabard token create`: a new token, whose secret is shown once."""

from pathlib import Path

import pytest

from tabard.cli.commands.access.token.create import ROLES
from tabard.enums import member_names
from tabard.v1 import identity_service_pb2
from tabard_registry import Registry
from tabard_registry.identity.roles import Role
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_roles_are_those_of_the_api() -> None:
    """Help knows them without importing any of that."""
    assert ROLES == member_names(identity_service_pb2.Role.DESCRIPTOR) == tuple(Role)


def test_secret_stands_alone_on_stdout(tabard: Tabard, server: FakeServer) -> None:
    """So that a shell can take it; people read the rest beside it."""
    ran = tabard(
        *("token", "create", "ci", "--role", "publish", "--role", "promote"),
        *("--namespace", "acme", "--namespace", "guild", "--tenant", "studio"),
        *("--expires", "90d", "--reason", "nightly"),
    )

    (sent,) = server.state.requests
    assert (ran.code, ran.out.count("\n"), ran.out.startswith("tabard_")) == (0, 1, True)
    assert "acme: publish, promote" in ran.err and ran.out.strip() not in ran.err
    assert (sent.name, sent.tenant, sent.reason) == ("ci", "studio", "nightly")
    assert len(sent.grants) == 4
    assert sent.expires_at.endswith("Z")


def test_json_holds_token_and_secret(tabard: Tabard) -> None:
    """The one document of all commands that has a secret."""
    document = tabard(
        "token", "create", "ci", "--role", "generate", "--namespace", "*", "--json"
    ).document

    assert document["grants"] == {"*": ["generate"]}
    assert document["secret"].startswith("tabard_")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ci",),
        ("ci", "--role", "publish"),
        ("ci", "--namespace", "acme"),
        ("ci", "--namespace", "acme", "--role", "pubish"),
        ("ci", "--namespace", "acme", "--role", "publish", "--expires", "yesterday"),
    ],
)
def test_wrong_usage_makes_nothing(
    tabard: Tabard, server: FakeServer, arguments: tuple[str, ...]
) -> None:
    """What it may do, and where, has to be said."""
    assert tabard("token", "create", *arguments).code == 2
    assert server.state.requests == []


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("a b", "--namespace", "acme"), 4, "FIELD_INVALID"),
        (("ci", "--namespace", "No Such"), 4, "INVALID_NAME"),
        (("taken", "--namespace", "acme"), 5, "TOKEN_EXISTS"),
    ],
)
def test_registry_refuses_in_its_words(
    tabard: Tabard, place: Path, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    """With the hint that it gives."""
    where = ("--role", "publish", "--registry", place, "--json")
    tabard("token", "create", "taken", "--namespace", "acme", *where)

    ran = tabard("token", "create", *arguments, *where)

    assert (ran.code, ran.document["error"]["reason"]) == (code, reason)
    assert ran.document["error"]["hint"]
    assert len(Registry.open(str(place)).tokens()) == 1
