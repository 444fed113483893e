# SPDX-License-Identifier: Apache-2.0
"""Gates over gRPC: asked of promotions, explained, and never asked of a rollback."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import identity_service_pb2, registry_service_pb2
from tabard.v1 import review_service_pb2 as pb
from tabard_registry import AdapterRef
from tabard_registry.identity.roles import Role
from tests.server.harness import read_refusal
from tests.server.rpc.door.known_callers import OWN, ROOT, asking, call, token_for

R, I, V = (f"/tabard.v1.{name}Service" for name in ("Registry", "Identity", "Review"))  # noqa: E741
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
