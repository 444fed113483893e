# SPDX-License-Identifier: Apache-2.0
"""What people ask of canaries, on a whole server."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import canary_service_pb2 as pb
from tabard.v1 import canary_service_pb2_grpc
from tabard_registry import Author, Digest, Proof, sha256_bytes
from tabard_registry.acts import CanaryName
from tabard_registry.release.canary import Canary, CanaryTerms
from tabard_registry.release.health import Told
from tabard_server.canary.canaries import shares_from
from tabard_server.canary.course import server_author
from tests.registry.canary_acts import pair, write
from tests.registry.fakes import NAME
from tests.server.canary.running import (
    LINE,
    draw,
    expose,
    key_of,
    report,
    stack_of,
    start,
    status,
    stop,
    stub,
    with_releases,
)
from tests.server.harness import Server, lora_file, refusal_of

Walk = Callable[[Server], Awaitable[Any]]
_ALONE = [("grpc.use_local_subchannel_pool", 1)]
"""A connection of its own, whatever others there are to the same address."""


def on_server(folder: Path, walk: Walk) -> Any:
    """Do something on a server with releases."""

    async def run() -> Any:
        async with with_releases(folder) as server:
            return await walk(server)

    return asyncio.run(run())


def name_of(canary: pb.Canary) -> CanaryName:
    """What the log calls it."""
    return CanaryName(adapter=NAME, candidate=Digest.parse(canary.candidate_digest))


def test_canary_is_started_and_told(tmp_path: Path) -> None:
    """Unexposed, with its terms, by who it was."""

    async def walk(server: Server) -> tuple[pb.Canary, pb.Canary, list[pb.Canary]]:
        started = await start(server, share=0.1, reason="warmer paper")
        listed = await stub(server).ListCanaries(pb.ListCanariesRequest())
        return started, await status(server, f"{LINE}@1.1.0"), list(listed.canaries)

    started, told, listed = on_server(tmp_path, walk)

    assert started == told == listed[0]
    assert (told.candidate_version, told.baseline_version) == ("1.1.0", "1.0.0")
    assert (told.share, list(told.shares)) == (0.0, [0.1, 0.25, 0.5])
    assert (told.is_open, told.is_promoted, told.verdict) == (True, False, 0)
    assert (told.e_value, told.e_value_bound) == (pytest.approx(1.0), pytest.approx(100.0))
    assert (told.losses, told.units, told.units_max) == (0, 0, 200)
    assert told.started_by == "ann"
    assert told.HasField("start_time")
    assert not told.HasField("judge_time")


def test_observations_are_weighed_as_they_stand(tmp_path: Path) -> None:
    """Whoever wrote them: figures of every stream and the worst pairs."""

    async def walk(server: Server) -> pb.Canary:
        started = await start(server)
        pairs = [pair(f"{n}", -0.1 * n) for n in range(8)]
        broken = pair("b", None, candidate_is_broken=True)
        write(server.app.registry, name_of(started), *pairs, broken)
        return await status(server)

    told = on_server(tmp_path, walk)

    assert (told.losses, told.units) == (7, 9)
    assert told.e_value > 1.0
    assert {one.name: (one.losses, one.units) for one in told.streams} == {
        "soft": (6, 6),
        "hard": (1, 1),
        "votes": (0, 0),
        "complaints": (0, 0),
    }
    assert [one.unit for one in told.worst] == ["b", "7", "6", "5", "4"]
    assert told.worst[0].candidate_is_broken
    assert not told.worst[0].HasField("difference")


def test_person_stops_it(tmp_path: Path) -> None:
    """With a reason; once; and the release has had its canary."""

    async def walk(server: Server) -> list[Any]:
        await start(server, shadow=True)
        stopped = await stop(server)
        again = pb.StopCanaryRequest(ref=LINE, actor="ann", reason="again")
        fresh = pb.StartCanaryRequest(ref=f"{LINE}@1.1.0")
        refused = [
            await refusal_of(stub(server).StopCanary(again)),
            await refusal_of(stub(server).StartCanary(fresh)),
        ]
        open_ones = await stub(server).ListCanaries(pb.ListCanariesRequest())
        all_ones = await stub(server).ListCanaries(pb.ListCanariesRequest(adapter=LINE))
        return [stopped, *(one.reason for one in refused), open_ones, all_ones]

    stopped, *reasons, open_ones, all_ones = on_server(tmp_path, walk)

    assert stopped.verdict == pb.CANARY_VERDICT_STOPPED
    assert (stopped.said, stopped.judged_by, stopped.is_open) == ("enough seen", "ann", False)
    assert list(stopped.shares) == []
    assert reasons == ["CANARY_ENDED", "CANARY_SPENT"]
    assert len(open_ones.canaries) == 0
    assert list(all_ones.canaries) == [stopped]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.StartCanaryRequest(ref=f"{LINE}@1.1.0", share=1.0), "FIELD_INVALID"),
        (pb.StartCanaryRequest(ref=f"{LINE}@1.1.0", share=0.0), "FIELD_INVALID"),
        (pb.StartCanaryRequest(ref=f"{LINE}@1.0.0"), "CANARY_WITHOUT_BASELINE"),
        (pb.StartCanaryRequest(ref=f"{LINE}@1.1.0", channel="beta"), "CHANNEL_NOT_FOUND"),
        (pb.StartCanaryRequest(ref=f"{LINE}@9.0.0"), "RELEASE_NOT_FOUND"),
        (pb.StartCanaryRequest(ref=f"{LINE}@1.1.0:0.3"), "INVALID_WEIGHT"),
    ],
)
def test_start_that_cannot_be(tmp_path: Path, request_: pb.StartCanaryRequest, reason: str) -> None:
    """Typed, before anything is written."""

    async def walk(server: Server) -> tuple[str, int]:
        seq = server.app.registry.seq
        refused = await refusal_of(stub(server).StartCanary(request_))
        return refused.reason, server.app.registry.seq - seq

    assert on_server(tmp_path, walk) == (reason, 0)


def test_share_of_the_callers_is_told(tmp_path: Path) -> None:
    """Accepted, and the picture itself, say that a canary was served; others say nothing."""

    async def walk(server: Server) -> list[Any]:
        canary = await start(server)
        expose(server, canary, 0.05, 0.25, 0.5)
        mine, other = await key_of(server, "1.1.0"), await key_of(server, "1.0.0")
        return [
            await draw(server, mine),
            await draw(server, other),
            await draw(server, mine, decline_canary=True),
            await server.generate(adapters=[f"{LINE}@1.1.0"], canary_key=mine),
            await draw(server),
        ]

    tried, *others = on_server(tmp_path, walk)

    assert tried.accepted.worn[0].is_canary
    assert (stack_of(tried)[0]["version"], stack_of(tried)[0]["canary"]) == ("1.1.0", True)
    assert [one.accepted.worn[0].version for one in others] == ["1.0.0", "1.0.0", "1.1.0", "1.0.0"]
    assert not any(one.accepted.worn[0].is_canary for one in others)
    assert not any("canary" in stack_of(one)[0] for one in others)


def test_candidate_that_cannot_be_served_is_not(tmp_path: Path) -> None:
    """Who asked for the channel is not refused because of what is tried there."""

    async def walk(server: Server) -> Any:
        canary = await start(server)
        expose(server, canary, 0.05, 0.25, 0.5)
        mine = await key_of(server, "1.1.0")
        await server.quarantine(f"{LINE}@1.1.0")
        return await draw(server, mine)

    assert on_server(tmp_path, walk).accepted.worn[0].version == "1.0.0"


def test_candidate_that_does_not_fit_is_not_served(tmp_path: Path) -> None:
    """Nor is a request refused that fits with what the channel points to."""

    async def walk(server: Server) -> list[Any]:
        await server.publish("acme/large", content=lora_file(rank=server.engine.rank_total - 4))
        await server.publish(LINE, "2.0.0", content=lora_file(seed_text="2", rank=8))
        canary = await start(server, "2.0.0")
        expose(server, canary, 0.05, 0.25, 0.5)
        mine = await key_of(server, "2.0.0")
        both = [LINE, "acme/large@1.0.0"]
        fits = await server.generate(adapters=both, canary_key=mine)
        exact = server.generate(adapters=[f"{LINE}@2.0.0", *both[1:]])
        return [fits, await refusal_of(exact)]

    fits, exact = on_server(tmp_path, walk)

    assert [one.version for one in fits.accepted.worn] == ["1.0.0", "1.0.0"]
    assert exact.reason == "STACK_TOO_LARGE"


def test_complaint_of_a_tenant_counts_once(tmp_path: Path) -> None:
    """By the file or by the job, today or later; against the side that drew it."""

    async def walk(server: Server) -> list[Any]:
        canary = await start(server)
        expose(server, canary, 0.05)
        told = await draw(server)
        digest = str(sha256_bytes(told.images[0].content))
        first = await report(server, image_digest=digest)
        again = await report(server, job_id=told.accepted.job_id)
        (held,) = server.app.registry.state.adapter(NAME).canaries
        return [first, again, await status(server), held]

    first, again, told, held = on_server(tmp_path, walk)

    assert (first.counted, first.adapter, first.version) == (True, LINE, "1.0.0")
    assert (again.counted, again.version) == (False, "1.0.0")
    complaints = next(one for one in told.streams if one.name == "complaints")
    assert (complaints.losses, complaints.units) == (0, 1)
    # Nothing but canary and tenant is hashed: tomorrow the same complaint is the same unit.
    said = f"{held.terms.salt}\0loopback"
    assert [one.unit for one in held.seen] == [hashlib.sha256(said.encode()).hexdigest()]


def test_connections_of_one_machine_complain_once(tmp_path: Path) -> None:
    """Who is not known is known by where they are, however often they connect."""

    async def walk(server: Server) -> list[bool]:
        canary = await start(server)
        expose(server, canary, 0.05, 0.25, 0.5)
        mine = await key_of(server, "1.1.0")
        counted = []
        for seed in range(4):
            job = (await draw(server, mine, seed=seed)).accepted.job_id
            async with grpc.aio.insecure_channel(server.address, _ALONE) as channel:
                request = pb.ReportImageRequest(label=pb.IMAGE_LABEL_ARTIFACT, job_id=job)
                service: Any = canary_service_pb2_grpc.CanaryServiceStub(channel)
                counted.append((await service.ReportImage(request)).counted)
        return counted

    assert on_server(tmp_path, walk) == [True, False, False, False]


def test_complaint_without_a_canary_counts_nowhere(tmp_path: Path) -> None:
    """It is taken all the same: while unexposed, after the end, and of the base alone."""

    async def walk(server: Server) -> list[Any]:
        canary = await start(server)
        unexposed = (await draw(server)).accepted.job_id
        expose(server, canary, 0.05)
        late = (await draw(server)).accepted.job_id
        bare = (await server.generate()).accepted.job_id
        found = [await report(server, job_id=unexposed), await report(server, job_id=bare)]
        await stop(server)
        return [*found, await report(server, job_id=late)]

    found = on_server(tmp_path, walk)

    assert [(one.counted, one.adapter) for one in found] == [
        (False, LINE),
        (False, ""),
        (False, LINE),
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"job_id": "nothing", "label": pb.IMAGE_LABEL_ARTIFACT}, "IMAGE_UNKNOWN"),
        ({"image_digest": "sha256:" + "0" * 64, "label": 1}, "IMAGE_UNKNOWN"),
        ({"label": 1}, "FIELD_REQUIRED"),
        ({"job_id": "a", "image_digest": "b", "label": 1}, "FIELD_REQUIRED"),
        ({"job_id": "a"}, "FIELD_REQUIRED"),
        ({"job_id": "a", "label": 99}, "FIELD_REQUIRED"),
    ],
)
def test_complaint_that_says_too_little(tmp_path: Path, said: dict[str, Any], reason: str) -> None:
    """About no picture, or about nothing."""

    async def walk(server: Server) -> str:
        call = stub(server).ReportImage(pb.ReportImageRequest(**said))
        return (await refusal_of(call)).reason

    assert on_server(tmp_path, walk) == reason


def test_rollback_of_a_person_ends_it(tmp_path: Path) -> None:
    """By the record of the rollback alone."""

    async def walk(server: Server) -> tuple[pb.Canary, int]:
        await server.promote(f"{LINE}@1.1.0")
        await start(server)
        seq = server.app.registry.seq
        await server.roll_back(LINE)
        return await status(server), server.app.registry.seq - seq

    told, records = on_server(tmp_path, walk)

    assert (told.verdict, told.is_promoted, told.is_open) == (4, True, False)
    assert records == 1


def test_steps_begin_where_they_are_asked_to() -> None:
    """And go on to what is more."""
    assert shares_from(0.05) == (0.05, 0.25, 0.5)
    assert shares_from(0.3) == (0.3, 0.5)
    assert shares_from(0.9) == (0.9,)


def test_server_writes_for_who_started_it() -> None:
    """Proven by being a server, so that a namespace which asks for a proof takes the record."""
    terms = CanaryTerms(candidate=sha256_bytes(b"1"), baseline=sha256_bytes(b"2"))
    started = Told(seq=1, time=datetime.now(UTC).isoformat(), actor="ann", proof=Proof.TOKEN)

    author = server_author(Canary(channel="stable", terms=terms, started=started))

    assert author == Author(actor="tabard-server", on_behalf_of="ann", proof=Proof.SERVER)
