# SPDX-License-Identifier: Apache-2.0
"""Reviewing as both clients do it, against a whole server."""

from __future__ import annotations

import asyncio

import pytest

from tabard import AsyncClient, Client, FailedPrecondition, Gate, InvalidArgument, NotFound
from tests.clients.fakes.real_server import RealServer

REF = "acme/ink@1.0.0"


def test_missing_is_explained(client: Client, server: RealServer) -> None:
    """What the gate asks for, what is missing, and who can give it."""
    server.publish("acme/ink")
    gate = Gate(require_success=True, reviews=1)
    asked = client.set_policy("acme", channels={"stable": gate}).policy

    found = client.explain_policy(REF)

    assert dict(asked.channels) == dict(found.gates) == {"stable": gate}
    assert [(one.role, one.overridable) for one in found.missing] == [
        ("publish", True),
        ("review", False),
    ]
    assert (found.adapter, found.version, found.channel) == ("acme/ink", "1.0.0", "stable")
    assert not found.override_suffices
    assert client.explain_policy(REF, channel="beta").gates == {}
    with pytest.raises(NotFound):
        client.explain_policy("acme/ink@9.9.9")


def test_gate_is_taken_away(client: Client, server: RealServer) -> None:
    """By None; patterns that are not named stay; one that asks for nothing is a mistake."""
    server.publish("acme/ink")
    client.set_policy("acme", channels={"stable": Gate(reviews=1), "prod-*": Gate(reviews=2)})

    left = client.set_policy("acme", channels={"stable": None}).policy

    assert dict(left.channels) == {"prod-*": Gate(reviews=2)}
    assert client.policy("acme") == left
    for wrong in (Gate(), Gate(reviews=-1)):
        with pytest.raises(InvalidArgument):
            client.set_policy("acme", channels={"stable": wrong})


def test_override_is_sent(client: Client, server: RealServer) -> None:
    """Without it the refusal says what is missing."""
    server.publish("acme/ink")
    client.set_policy("acme", channels={"stable": Gate(require_success=True)})

    with pytest.raises(FailedPrecondition) as refused:
        client.promote(REF)
    assert client.explain_policy(REF).override_suffices
    assert refused.value.reason == "GATE_NOT_MET"
    assert client.promote(REF, override="the client waits").moved


def test_asyncio_does_the_same(server: RealServer) -> None:
    """Every verb."""
    server.publish("acme/ink")

    async def walk() -> bool:
        async with AsyncClient(server.address) as client:
            await client.set_policy("acme", channels={"stable": Gate(reviews=1)})
            found = await client.explain_policy(REF)
        return bool(found.missing)

    assert asyncio.run(walk())
