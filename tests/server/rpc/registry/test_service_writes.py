# SPDX-License-Identifier: Apache-2.0
"""Acts over gRPC: expectations, keys of callers, ranges, signatures."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import Author, Digest, Key, Registry
from tabard_registry.trust.signatures import new_key_pair, sign_digest
from tests.server.harness import Request, Server, refs, refusal_of, serving, until

INK = "acme/ink@1.0.0"


async def stock(server: Server) -> None:
    """Publish three releases, and promote the first two."""
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        await server.publish("acme/ink", version)
    for version in ("1.0.0", "1.1.0"):
        await server.promote(f"acme/ink@{version}")


def test_range_is_pinned_by_promotion(tmp_path: Path) -> None:
    """A channel that was moved by a range stays where the range pointed."""

    async def walk() -> list[str]:
        async with serving(tmp_path) as server:
            await stock(server)
            move = await server.promote("acme/ink@^1", channel="canary")
            await server.publish("acme/ink", "1.2.0")
            told = await server.generate(
                adapters=[
                    "acme/ink@canary",
                ]
            )
            ranged = await server.generate(adapters=["acme/ink@>=1,<2"])
            return [
                move.version,
                told.accepted.worn[0].version,
                ranged.accepted.worn[0].version,
            ]

    assert asyncio.run(walk()) == ["1.1.0", "1.1.0", "1.2.0"]


def test_rollback_keeps_expectation(tmp_path: Path) -> None:
    """A channel that points elsewhere than expected stays."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await stock(server)
            line = server.app.registry.state.adapters_after()[0]
            stable = str(line.channels["stable"].digest)
            request = pb.RollbackRequest(
                adapter="acme/ink", reason="r", actor="t", expect_digest="sha256:" + "0" * 64
            )
            refusal = await refusal_of(server.registry.Rollback(request))
            request.expect_digest = stable
            move = (await server.registry.Rollback(request)).move

        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "EXPECT_MISMATCH",
        )
        assert (move.previous_digest, move.version) == (stable, "1.0.0")

    asyncio.run(walk())


@pytest.mark.parametrize(
    ("method", "request_class", "flag"),
    [
        ("Yank", pb.YankRequest, "yanked"),
        ("Quarantine", pb.QuarantineRequest, "quarantined"),
        ("Purge", pb.PurgeRequest, "purged"),
    ],
)
def test_act_with_a_key_happens_once(
    tmp_path: Path, method: str, request_class: Any, flag: str
) -> None:
    """Sent again it answers the same; used for another act the key is refused."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await stock(server)
            await server.registry.Promote(pb.PromoteRequest(ref=INK, actor="t"))
            request = request_class(ref=INK, reason="r", actor="t", request_id="key-1")
            first = await getattr(server.registry, method)(request)
            seq = server.app.registry.seq
            again = await getattr(server.registry, method)(request)
            promote = pb.PromoteRequest(ref="acme/ink@2.0.0", actor="t", request_id="key-1")
            refusal = await refusal_of(server.registry.Promote(promote))

            assert getattr(first.release, flag)
            assert (first, list(first.channels)) == (again, ["stable"])
            assert (server.app.registry.seq, refusal.reason) == (seq, "REQUEST_ID_REUSED")

    asyncio.run(walk())


@pytest.mark.parametrize(
    ("field", "most"), [("actor", 200), ("reason", 2_000), ("request_id", 200)]
)
def test_author_is_bounded(tmp_path: Path, field: str, most: int) -> None:
    """Who acts, why, and the key of the act: each has a longest length, and a typed refusal."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await stock(server)
            request = pb.YankRequest(ref=INK, **{"reason": "r", field: "x" * (most + 1)})
            refusal = await refusal_of(server.registry.Yank(request))

        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "FIELD_TOO_LONG",
        )

    asyncio.run(walk())


@pytest.mark.parametrize("ref", ["acme/ink", "acme/ink@stable", "acme/ink@^1"])
def test_withdrawal_needs_exact_ref(tmp_path: Path, ref: str) -> None:
    """What may mean another release tomorrow is not withdrawn today."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await stock(server)
            for method in ("Yank", "Unyank", "Quarantine", "Lift", "Purge"):
                request = getattr(pb, f"{method}Request")(ref=ref, reason="r", actor="t")
                refusal = await refusal_of(getattr(server.registry, method)(request))
                assert refusal.reason == "EXACT_REF_REQUIRED"
                assert refusal.hint

    asyncio.run(walk())


def test_policy_asks_for_signature(tmp_path: Path) -> None:
    """Unsigned releases of the namespace are refused until a trusted key signs them."""
    pair = new_key_pair()

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await stock(server)
            beside = Registry.open((tmp_path / "registry").as_uri())
            key = beside.trust_key(
                Key(namespace="acme", public_key=pair.public_key, name="ann"),
                author=Author(actor="ops"),
            ).subject
            beside.set_policy("acme", require_signature=True, author=Author(actor="ops"))
            await until(lambda: server.app.registry.seq == beside.seq)
            release = beside.state.adapters_after()[0].by_digest
            digest = next(d for d, one in release.items() if str(one.version) == "1.1.0")

            refusal = await refusal_of(_draw(server))
            move = await refusal_of(server.promote("acme/ink@1.1.0", channel="canary"))
            forged = await refusal_of(server.registry.Sign(_sign(key.id, "AAAA")))
            text = sign_digest(pair.private_key_pem, Digest(digest.hex))
            signed = (await server.registry.Sign(_sign(key.id, text))).release
            told = await server.generate(adapters=["acme/ink"])
            beside.close()

        assert refusal.reason == move.reason == "SIGNATURE_REQUIRED"
        assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
        assert forged.reason == "SIGNATURE_INVALID"
        assert [one.key_id for one in signed.signatures] == [key.id]
        assert told.kinds[-1] == "done"

    asyncio.run(walk())


def _draw(server: Server) -> Any:
    return server.generation.Generate(Request(prompt="x", adapters=refs("acme/ink")))


def _sign(key_id: str, text: str) -> pb.SignRequest:
    return pb.SignRequest(ref="acme/ink@1.1.0", key_id=key_id, signature=text, actor="ann")


def test_waiting_acts_share_records(tmp_path: Path) -> None:
    """Many acts at once need fewer records than there are acts, and all take effect."""

    async def walk() -> tuple[int, int]:
        async with serving(tmp_path) as server:
            await stock(server)
            before = server.app.registry.seq
            moves = [server.promote("acme/ink@2.0.0", channel=f"c{n}") for n in range(40)]
            await asyncio.gather(*moves)
            line = server.app.registry.state.adapters_after()[0]
            return server.app.registry.seq - before, len(line.channels)

    records, channels = asyncio.run(walk())
    assert channels == 41
    assert records < 40
