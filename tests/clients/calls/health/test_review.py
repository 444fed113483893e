# SPDX-License-Identifier: Apache-2.0
"""Reviewing as both clients do it, against a whole server."""

from __future__ import annotations

import asyncio

import pytest

from tabard import AsyncClient, Client, FailedPrecondition, Gate, InvalidArgument, NotFound
from tabard.enums import PAIR_SIDES, VOTE_CHOICES
from tabard.health.review import StoredVote
from tabard_registry import AdapterRef
from tabard_registry.evidence.pairs import pairs_of
from tabard_server.reviewing.blindfold import Blindfold
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import put_report
from tests.server.reviewing.blind_reports import file_report

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


@pytest.fixture
def poll(server: RealServer) -> RealServer:
    """A release with three pairs."""
    before = server.publish("acme/ink", "0.9.0")
    file_report(server.registry, server.publish("acme/ink"), against=before, cells=3)
    return server


def test_pairs_are_voted_on(poll: RealServer) -> None:
    """Each once, with its pictures; then there is none left, and the votes are counted."""
    with Client(poll.address, actor="bob") as client:
        done = []
        while (pair := client.next_pair(REF)) is not None:
            pictures = [client.pair_picture(REF, pair=pair.pair, side=side) for side in PAIR_SIDES]
            assert all(one.startswith(b"\x89PNG") for one in pictures)
            assert pictures[0] != pictures[1]
            choice = VOTE_CHOICES[pair.voted_count]
            done.append(client.vote(REF, choice, pair=pair.pair, reason="looked"))
        with pytest.raises(FailedPrecondition) as again:
            client.vote(REF, "b", pair=client_pair(done, poll), reason="second thoughts")
        found = client.reviews(REF)

    assert [one.voted_count for one in done] == [1, 2, 3]
    assert all({one.a, one.b} == {"candidate", "baseline"} for one in done)
    assert [done[0].chosen, done[1].chosen, done[2].chosen] == [done[0].a, done[1].b, ""]
    assert again.value.reason == "VOTE_UNBLINDED"
    assert found.votes_for_candidate + found.votes_for_baseline == 2
    assert found.votes_tied == 1


def client_pair(done: list[StoredVote], poll: RealServer) -> str:
    """What bob calls a pair that he has voted on."""
    state = poll.registry.catch_up()
    release = state.find(AdapterRef.parse(REF))
    assert len(release.health.votes) == len(done)
    report = poll.registry.evidence.report(release.health.evidence[-1].document)
    return Blindfold(poll.registry).sides_for("bob").handle(pairs_of(report)[0])


def test_wrong_words_are_refused_at_once(client: Client) -> None:
    """With the one that was meant."""
    with pytest.raises(InvalidArgument, match="did you mean 'tie'"):
        client.vote(REF, "tye", pair="p")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        client.pair_picture(REF, pair="p", side="c")  # type: ignore[arg-type]


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


def test_asyncio_votes(poll: RealServer) -> None:
    """Every verb."""

    async def walk() -> tuple[int, bool]:
        async with AsyncClient(poll.address, actor="cat") as client:
            pair = await client.next_pair(REF)
            assert pair is not None
            png = await client.pair_picture(REF, pair=pair.pair, side="b")
            done = await client.vote(REF, "a", pair=pair.pair)
        return done.voted_count, png.startswith(b"\x89PNG")

    assert asyncio.run(walk()) == (1, True)
