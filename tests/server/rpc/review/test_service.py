# SPDX-License-Identifier: Apache-2.0
"""Gates over gRPC: asked of promotions, explained, and never asked of a rollback."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import (
    adapter_pb2,
    evaluation_service_pb2,
    evaluation_service_pb2_grpc,
    evidence_service_pb2,
    identity_service_pb2,
    registry_service_pb2,
)
from tabard.v1 import review_service_pb2 as pb
from tabard_registry import AdapterRef
from tabard_registry.evidence.documents import digest_of
from tabard_registry.identity.roles import Role
from tabard_registry.release.gates import Gate
from tests.registry.evidence.reports import put_report
from tests.server.evaluation.wishes.asking import grid_document
from tests.server.harness import read_refusal
from tests.server.reviewing.blind_reports import file_report
from tests.server.rpc.door.known_callers import OWN, ROOT, as_bearer, asking, call, token_for

R, I, V, E = (  # noqa: E741
    f"/tabard.v1.{name}Service" for name in ("Registry", "Identity", "Review", "Evidence")
)
GATES = [
    identity_service_pb2.ChannelGate(
        pattern=pattern, require_success=success, reviews=reviews, require_checks=checks
    )
    for pattern in ("stable", "*")
    for success in (False, True)
    for reviews in (0, 1, 16)
    for checks in (False, True)
    if success or reviews or checks
]


def set_gate(gate: identity_service_pb2.ChannelGate) -> Any:
    """The request that sets it."""
    return identity_service_pb2.SetPolicyRequest(namespace=OWN, channels=[gate])


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any, str]]:
    """Each gate, how a promotion past it ended, and what a rollback then moved to."""

    async def walk() -> list[tuple[Any, Any, str]]:
        found = []
        async with asking(tmp_path_factory.mktemp("server")) as server:
            registry, root = server.app.registry, token_for(server, "root", everywhere=tuple(Role))
            for number in range(20):
                token_for(server, f"reviewer{number}", **{OWN: (Role.REVIEW,)})
            ref = f"{OWN}/ink@1.1.0"
            older = AdapterRef.parse(f"{OWN}/ink@1.0.0")
            registry.edit(older, words={"purpose": "subject"}, author=ROOT)
            for gate in GATES:
                await ask(server, f"{I}/SetPolicy", set_gate(gate), secret=root)
                again = registry_service_pb2.PromoteRequest(ref=f"{OWN}/ink@1.0.0")
                _, error = await ask(server, f"{R}/Promote", again, secret=root)
                back = registry_service_pb2.RollbackRequest(
                    adapter=f"{OWN}/ink", reason="looks wrong"
                )
                answer, _ = await ask(server, f"{R}/Rollback", back, secret=root)
                assert answer.move.moved
                found.append((gate, error, answer.move.version))
                off = identity_service_pb2.ChannelGate(pattern=gate.pattern)
                await ask(server, f"{I}/SetPolicy", set_gate(off), secret=root)
                forth = registry_service_pb2.PromoteRequest(ref=ref)
                answer, _ = await ask(server, f"{R}/Promote", forth, secret=root)
            assert registry.state.policies[OWN].channels == {}
        return found

    return asyncio.run(walk())


async def ask(server: Any, path: str, message: Any, *, secret: str) -> tuple[Any, Any]:
    """The answer and the refusal of a call."""
    found, error = await call(server, path, [message], secret=secret)
    return (found[0] if found else None), (read_refusal(error) if error else None)


def test_rollback_needs_no_gate_at_all(rolled_back: list[tuple[Any, Any, str]]) -> None:
    """Whatever the policy asks for, what was there before comes back at once."""
    assert len(rolled_back) == len(GATES) == 22
    assert {version for _, _, version in rolled_back} == {"1.0.0"}


def test_promotion_needs_its_gate(rolled_back: list[tuple[Any, Any, str]]) -> None:
    """Whatever it asks for; the refusal says what is missing."""
    for gate, error, _ in rolled_back:
        assert (error.code, error.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "GATE_NOT_MET",
        )
        assert ("it has no report" in error.message) is gate.require_success
        assert (f"0 of {gate.reviews} reviews" in error.message) is bool(gate.reviews)
        assert ("not checked: prompt_drift" in error.message) is gate.require_checks
        assert f"tabard policy explain {OWN}/ink@1.0.0" in error.hint


def test_gate_that_nobody_can_meet(tmp_path: Path) -> None:
    """Two reviewers, three reviews: refused, with what to do; a reviewer more, and it is taken."""
    gate = identity_service_pb2.ChannelGate(pattern="stable", reviews=2)

    async def walk() -> tuple[Any, ...]:
        async with asking(tmp_path) as server:
            admin = token_for(server, "own-admin", **{OWN: (Role.ADMIN,)})
            _, refused = await ask(server, f"{I}/SetPolicy", set_gate(gate), secret=admin)
            token_for(server, "bob", **{OWN: (Role.REVIEW,)})
            token_for(server, "cat", **{OWN: (Role.REVIEW,)})
            taken, _ = await ask(server, f"{I}/SetPolicy", set_gate(gate), secret=admin)
            known, _ = await ask(
                server,
                f"{V}/ExplainPolicy",
                pb.ExplainPolicyRequest(ref=f"{OWN}/ink@1.0.0"),
                secret=admin,
            )
            return refused, taken, known

    refused, taken, known = asyncio.run(walk())

    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "POLICY_UNSATISFIABLE",
    )
    assert "--role review" in refused.hint
    assert list(taken.policy.channels) == [gate]
    assert list(known.missing[0].names) == ["bob", "cat", "own-admin"]


def test_pattern_is_said_once(tmp_path: Path) -> None:
    """And more reviews than a number holds are as many as that."""
    twice = identity_service_pb2.SetPolicyRequest(namespace=OWN, channels=[GATES[0], GATES[1]])
    many = identity_service_pb2.ChannelGate(pattern="stable", reviews=2**32 - 1)

    async def walk() -> list[Any]:
        async with asking(tmp_path) as server:
            root = token_for(server, "root", everywhere=tuple(Role))
            return [
                (await ask(server, f"{I}/SetPolicy", one, secret=root))[1].reason
                for one in (twice, set_gate(many))
            ]

    assert asyncio.run(walk()) == ["FIELD_INVALID", "POLICY_UNSATISFIABLE"]


def test_reviews_over_the_wire(tmp_path: Path) -> None:
    """By whoever has shown to be a reviewer; pages; a change of mind; and the gate lets through."""
    ref = f"{OWN}/ink@1.0.0"

    async def walk() -> tuple[Any, ...]:
        async with asking(tmp_path) as server:
            people = {
                name: token_for(server, name, **{OWN: (role,)})
                for name, role in (
                    ("bob", Role.REVIEW),
                    ("cat", Role.REVIEW),
                    ("dan", Role.PROMOTE),
                )
            }
            gates = {"beta": Gate(reviews=2)}
            server.app.registry.set_policy(OWN, author=ROOT, channels=gates)
            report = await aside(server, ref)

            async def say(name: str, decision: Any, *, evidence: str = report) -> Any:
                message = pb.ReviewRequest(
                    ref=ref, decision=decision, note=f"{name} says", evidence_digest=evidence
                )
                return await ask(server, f"{V}/Review", message, secret=people[name])

            _, denied = await say("dan", 1)
            _, outdated = await say("bob", 1, evidence="")
            bob, _ = await say("bob", 2)
            bob, _ = await say("bob", 1)
            again, _ = await say("bob", 1)
            promote = registry_service_pb2.PromoteRequest(ref=ref, channel="beta")
            _, lacking = await ask(server, f"{R}/Promote", promote, secret=people["dan"])
            await say("cat", 1)
            moved, _ = await ask(server, f"{R}/Promote", promote, secret=people["dan"])
            first = pb.ListReviewsRequest(ref=ref, page_size=1)
            page, _ = await ask(server, f"{V}/ListReviews", first, secret=people["dan"])
            first.page_token = page.next_page_token
            rest, _ = await ask(server, f"{V}/ListReviews", first, secret=people["dan"])
            return denied, outdated, bob, again, lacking, moved, [page, rest]

    denied, outdated, bob, again, lacking, moved, pages = asyncio.run(walk())

    assert (denied.code, denied.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
    assert outdated.reason == "REVIEW_OUTDATED"
    assert (bob.review.reviewer, bob.review.proof) == ("bob", adapter_pb2.PROOF_TOKEN)
    assert (bob.review.decision, bob.changed, again.changed) == (1, True, False)
    assert (lacking.reason, "1 of 2 reviews" in lacking.message) == ("GATE_NOT_MET", True)
    assert moved.move.moved
    assert [[one.reviewer for one in page.reviews] for page in pages] == [["cat"], ["bob"]]
    assert pages[1].next_page_token == ""


async def aside(server: Any, ref: str) -> str:
    """File a report on a release, as an evaluation does; return its digest."""
    registry = server.app.registry
    release = registry.state.find(AdapterRef.parse(ref))
    filed = await asyncio.to_thread(put_report, registry, release)
    return str(filed.note.document)


def test_vote_is_blind_over_the_wire(tmp_path: Path) -> None:
    """Pairs, pictures and votes of people who have shown who they are; a reader votes no more."""
    ref = f"{OWN}/ink@1.1.0"

    async def walk() -> tuple[Any, ...]:
        async with asking(tmp_path) as server:
            people = {
                name: token_for(server, name, **{OWN: (Role.REVIEW,)})
                for name in ("bob", "cat", "dan", "eve")
            }
            registry = server.app.registry
            release, before = (
                registry.state.find(AdapterRef.parse(f"{OWN}/ink@{version}"))
                for version in ("1.1.0", "1.0.0")
            )
            report = await asyncio.to_thread(
                file_report, registry, release, against=before, cells=4
            )

            async def next_pair(name: str) -> tuple[Any, Any]:
                # What a voter says of themselves is not who they are.
                message = pb.NextPairRequest(ref=ref, actor="cat")
                return await ask(server, f"{V}/NextPair", message, secret=people[name])

            async def read(name: str, path: str, message: Any) -> Any:
                return await ask(server, f"{E}/{path}", message, secret=people[name])

            turns = {name: (await next_pair(name))[0] for name in people}
            shown = pb.GetPairPictureRequest(ref=ref, pair=turns["bob"].pair, side=pb.PAIR_SIDE_A)
            picture, _ = await ask(server, f"{V}/GetPairPicture", shown, secret=people["bob"])
            _, others = await ask(server, f"{V}/GetPairPicture", shown, secret=people["cat"])
            vote = pb.VoteRequest(ref=ref, pair=turns["bob"].pair, choice=pb.VOTE_CHOICE_A)
            done, _ = await ask(server, f"{V}/Vote", vote, secret=people["bob"])
            listed = evidence_service_pb2.ListEvidenceRequest(ref=ref)
            await read("cat", "ListEvidence", listed)
            _, unread = await next_pair("cat")
            await read("cat", "GetEvidence", evidence_service_pb2.GetEvidenceRequest(ref=ref))
            _, by_document = await next_pair("cat")
            of_report = evidence_service_pb2.GetPictureRequest(
                ref=ref,
                evidence_digest=str(digest_of(report)),
                digest=str(report.pictures[0]),
            )
            await read("dan", "GetPicture", of_report)
            _, by_picture = await next_pair("dan")
            vote.pair = turns["dan"].pair
            _, refused = await ask(server, f"{V}/Vote", vote, secret=people["dan"])
            _, eve = await next_pair("eve")
            history = registry_service_pb2.HistoryRequest(adapter=f"{OWN}/ink")
            told, _ = await ask(server, f"{R}/History", history, secret=people["eve"])
            return turns, picture, others, done, unread, by_document, by_picture, refused, eve, told

    turns, picture, others, done, unread, by_document, by_picture, refused, eve, told = asyncio.run(
        walk()
    )

    assert len({one.pair for one in turns.values()}) == 4
    assert (picture.png[:4], others.reason) == (b"\x89PNG", "PAIR_NOT_FOUND")
    assert done.chosen == done.a and {done.a, done.b} == {1, 2}
    assert (unread, eve) == (None, None)
    reasons = {one.reason for one in (by_document, by_picture, refused)}
    assert reasons == {"VOTE_UNBLINDED"}
    # Who votes is told; what they chose, and on which pictures, is not.
    text = str(told)
    assert 'actor: "bob"' in text and "ACTION_TYPE_VOTE" in text
    assert "candidate" not in text and turns["bob"].pair not in text


def test_who_evaluated_votes_no_more(tmp_path: Path) -> None:
    """Also who left before the end; whoever else was asked meanwhile does."""
    refused, other = asyncio.run(_evaluate_and_vote(tmp_path))

    assert refused.reason == "VOTE_UNBLINDED"
    assert other is None


async def _evaluate_and_vote(folder: Path) -> tuple[Any, Any]:
    async with asking(folder) as server:
        bob, cat = (token_for(server, one, **{OWN: (Role.REVIEW,)}) for one in ("bob", "cat"))
        registry = server.app.registry
        ink = f"{OWN}/ink"
        release, before = (
            registry.state.find(AdapterRef.parse(f"{ink}@{one}")) for one in ("1.1.0", "1.0.0")
        )
        await asyncio.to_thread(file_report, registry, release, against=before, cells=4)
        stub = evaluation_service_pb2_grpc.EvaluationServiceStub(server.channel)
        asked = evaluation_service_pb2.EvaluateRequest(
            ref=f"{ink}@1.1.0", against=f"{ink}@1.0.0", grid_document=grid_document()
        )
        call = stub.Evaluate(asked, metadata=as_bearer(bob))
        async for event in call:
            if event.HasField("started"):
                call.cancel()
                break
        message = pb.NextPairRequest(ref=f"{ink}@1.1.0")
        return tuple(
            [(await ask(server, f"{V}/NextPair", message, secret=one))[1] for one in (bob, cat)]
        )  # type: ignore[return-value]
