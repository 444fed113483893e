# SPDX-License-Identifier: Apache-2.0
"""Reviewing as both clients do it, against a whole server."""

from __future__ import annotations

import asyncio

import pytest

from tabard import AsyncClient, Client, FailedPrecondition, Gate, InvalidArgument, NotFound
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import put_report

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


def test_release_is_reviewed(server: RealServer) -> None:
    """By the report that was seen; everybody's newest word is told, whatever the size of a page."""
    digest = str(put_report(server.registry, server.publish("acme/ink")).note.document)
    for number in range(60):
        with Client(server.address, actor=f"reviewer {number:02d}") as client:
            done = client.review(REF, "approve", note="as asked", evidence=digest[:19])
            assert (done.changed, done.review.evidence_digest) == (True, digest)

    with Client(server.address, actor="reviewer 59") as client:
        again = client.review(REF, "approve", note="as asked", evidence=digest)
        client.review(REF, "reject", note="eyes", evidence=digest)
        found = client.reviews(REF)
        with pytest.raises(FailedPrecondition) as outdated:
            client.review(REF, "approve", note="unseen")
        with pytest.raises(InvalidArgument, match="did you mean 'approve'"):
            client.review(REF, "aprove", note="typed", evidence=digest)  # type: ignore[arg-type]

    assert not again.changed
    assert outdated.value.reason == "REVIEW_OUTDATED"
    assert (len(found.reviews), found.reviews[0].note) == (60, "eyes")
    assert (found.report_digest, found.report_verdict) == (digest, "success")
    assert {one.decision for one in found.reviews[1:]} == {"approve"}


def test_asyncio_does_the_same(server: RealServer) -> None:
    """Every verb."""
    digest = str(put_report(server.registry, server.publish("acme/ink")).note.document)

    async def walk() -> tuple[bool, bool, int]:
        async with AsyncClient(server.address, actor="bob") as client:
            await client.set_policy("acme", channels={"stable": Gate(reviews=2)})
            explained = await client.explain_policy(REF)
            done = await client.review(REF, "approve", note="right", evidence=digest)
            found = await client.reviews(REF)
        return bool(explained.missing), done.changed, len(found.reviews)

    assert asyncio.run(walk()) == (True, True, 1)
