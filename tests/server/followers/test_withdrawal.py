# SPDX-License-Identifier: Apache-2.0
"""Quarantine and purge: jobs that wear the release end, on every replica; others go on."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard_registry import Action, AdapterRef, AppliedRecord, Effect, Record, sha256_bytes
from tabard_server.followers.withdrawal import withdrawals_in
from tests.server.fakes import FakeEngine
from tests.server.harness import Refusal, Request, Server, refs, refusal_of, serving, until

LONG_SECONDS = 600.0


async def stock(server: Server) -> None:
    """Publish two styles and a recipe of one of them, all on stable."""
    for name in ("acme/ink", "acme/pen"):
        await server.publish(name)
        await server.promote(f"{name}@1.0.0")
    await server.publish_recipe("acme/mix", "acme/ink:0.5")
    await server.promote("acme/mix@1.0.0")


@pytest.mark.parametrize(
    ("act", "reason"), [("quarantine", "RELEASE_QUARANTINED"), ("purge", "RELEASE_PURGED")]
)
@pytest.mark.parametrize("worn", ["acme/ink", "acme/mix"])
def test_other_replica_cuts_running_job_off(
    tmp_path: Path, act: str, reason: str, worn: str
) -> None:
    """A job that wears the release, or a recipe of it, ends at the next step; another goes on."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> tuple[Refusal, Any, int]:
        async with serving(tmp_path) as here, serving(tmp_path, engine=engine) as there:
            await stock(here)
            await until(lambda: there.app.registry.seq == here.app.registry.seq)
            wearing = there.begin(worn)
            await until(lambda: there.app.loop.running_count == 1)
            other = asyncio.ensure_future(there.generate("y", adapters=["acme/pen"]))
            await until(lambda: there.app.generation.jobs_left == 2)
            await getattr(here, act)("acme/ink@1.0.0")
            await until(lambda: there.stopping == 1)
            engine.allow(1000)
            told = (await wearing, await other)
            residents = {use.digest for use in there.app.cache.residents()}
            return *told, len(residents)

    refusal, other, residents = asyncio.run(walk())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, reason)
    assert "acme/ink@1.0.0" in refusal.message
    assert refusal.hint
    assert other.kinds[-1] == "done"
    assert residents == 1


@pytest.mark.parametrize("name", ["acme/ink", "acme/mix"])
def test_acting_server_needs_no_poll(tmp_path: Path, name: str) -> None:
    """Where a release or a recipe is quarantined, its job is told before the call returns."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine, poll_seconds=LONG_SECONDS) as server:
            await stock(server)
            wearing = server.begin(name)
            await until(lambda: server.app.loop.running_count == 1)
            await server.quarantine(f"{name}@1.0.0")
            assert server.stopping == 1
            engine.allow(1000)
            assert (await wearing).reason == "RELEASE_QUARANTINED"
            outcome = {"outcome": "withdrawn"}
            sample = server.app.metrics.registry.get_sample_value("tabard_jobs_total", outcome)
            assert sample == 1.0

    asyncio.run(walk())


@pytest.mark.parametrize("act", ["quarantine", "purge"])
def test_slot_of_withdrawn_release_is_emptied(tmp_path: Path, act: str) -> None:
    """Nobody wears it again, so it does not stay until its place is needed: nor idle, nor worn."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine, poll_seconds=LONG_SECONDS) as server:
            await stock(server)
            ink, pen = (
                str(server.app.registry.state.resolve(AdapterRef.parse(name)).digest)
                for name in ("acme/ink", "acme/pen")
            )
            await server.generate(adapters=["acme/ink"])
            await getattr(server, act)("acme/ink@1.0.0")
            await until(lambda: engine.forgotten == [ink])
            engine.hold_steps()
            wearing = server.begin("acme/pen")
            await until(lambda: server.app.loop.running_count == 1)
            await getattr(server, act)("acme/pen@1.0.0")
            engine.allow(1000)
            await wearing
            await until(lambda: engine.forgotten == [ink, pen])

    asyncio.run(walk())


def test_withdrawal_ends_job_that_loads(tmp_path: Path) -> None:
    """A job that waits for its adapter does not wait for the load to end; what comes is dropped."""

    async def walk() -> None:
        async with serving(tmp_path, poll_seconds=LONG_SECONDS) as server:
            release = (await server.publish("acme/ink")).release
            gate = server.loader.hold(release.digest)
            wearing = server.begin("acme/ink@1.0.0")
            await until(lambda: server.app.generation.jobs_left == 1)
            await until(lambda: server.app.cache.line_length == 1)
            await server.quarantine("acme/ink@1.0.0")
            refusal = await wearing
            gate.set()
            await until(lambda: not server.app.cache._loads)
            assert refusal.reason == "RELEASE_QUARANTINED"
            assert server.app.cache.residents() == ()
            assert server.app.generation.jobs_left == 0

    asyncio.run(walk())


def test_lift_serves_again(tmp_path: Path) -> None:
    """Refused at the door while it is quarantined, by any ref; afterwards as before."""

    async def walk() -> None:
        async with serving(tmp_path, poll_seconds=LONG_SECONDS) as server:
            await stock(server)
            await server.quarantine("acme/ink@1.0.0")
            told = {}
            for ref in ("acme/ink", "acme/ink@1.0.0", "acme/mix", "acme/ink@^1"):
                call = server.generation.Generate(Request(prompt="x", adapters=refs(ref)))
                told[ref] = await refusal_of(call)
            await server.lift("acme/ink@1.0.0")
            again = await server.generate(adapters=["acme/mix"])

        assert [one.reason for one in told.values()] == [
            "RELEASE_QUARANTINED",
            "RELEASE_QUARANTINED",
            "MEMBER_NOT_SERVABLE",
            "RELEASE_NOT_FOUND",
        ]
        assert told["acme/ink"].code is grpc.StatusCode.FAILED_PRECONDITION
        assert again.kinds[-1] == "done"

    asyncio.run(walk())


def test_purge_clears_the_disk(tmp_path: Path) -> None:
    """The files of a purged release go; those of a quarantined one stay."""

    async def walk() -> None:
        async with serving(tmp_path, poll_seconds=LONG_SECONDS) as server:
            await stock(server)
            purged = server.app.registry.state.adapters_after()[0].releases[0].digest
            await server.quarantine("acme/pen@1.0.0")
            await server.purge("acme/ink@1.0.0")
            assert server.forgotten == [purged]

    asyncio.run(walk())


def test_withdrawn_release_is_not_promoted(tmp_path: Path) -> None:
    """Neither a quarantined release nor a recipe of it; nothing is loaded for the attempt."""

    async def walk() -> None:
        async with serving(tmp_path, poll_seconds=LONG_SECONDS) as server:
            await stock(server)
            await server.quarantine("acme/ink@1.0.0")
            before = list(server.loader.loaded)
            refusal = await refusal_of(server.promote("acme/mix@1.0.0", channel="canary"))
            warm = await refusal_of(server.promote("acme/ink@1.0.0", channel="canary"))
            assert (refusal.reason, warm.reason) == ("MEMBER_NOT_SERVABLE", "RELEASE_QUARANTINED")
            assert server.loader.loaded == before

    asyncio.run(walk())


def test_withdrawn_release_is_not_warmed(tmp_path: Path) -> None:
    """Records that moved channels to it before it was withdrawn load it no more."""

    async def walk() -> None:
        async with serving(tmp_path, poll_seconds=LONG_SECONDS) as server:
            await stock(server)
            await server.quarantine("acme/ink@1.0.0")
            await until(lambda: not server.app._warming._loads)
            pen = {use.digest for use in server.app.cache.residents()}
            server.app._warming.review(server.app.registry.since(0))
            await until(lambda: not server.app._warming._loads)
            assert {use.digest for use in server.app.cache.residents()} == pen
            assert len(pen) == 1

    asyncio.run(walk())


def test_later_job_is_left_alone(tmp_path: Path) -> None:
    """A record that is handled late does not end a job that was admitted after it was lifted."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine, poll_seconds=LONG_SECONDS) as server:
            await stock(server)
            await server.quarantine("acme/ink@1.0.0")
            await server.lift("acme/ink@1.0.0")
            records = server.app.registry.since(0)
            told = asyncio.ensure_future(server.generate(adapters=["acme/ink"]))
            await until(lambda: server.app.generation.jobs_left == 1)
            server.app._withdrawal.review(records)
            engine.allow(1000)
            assert (await told).kinds[-1] == "done"

    asyncio.run(walk())


def test_void_withdrawal_withdraws_nothing() -> None:
    """An act that the fold found invalid changes nothing."""
    action = Action(type="quarantine", adapter="acme/ink", digest="sha256:" + "a" * 64)
    record = Record(seq=1, prev=sha256_bytes(b""), id="x", time="", actions=(action,))

    found = withdrawals_in([AppliedRecord(record=record, effects=(Effect(effective=False),))])

    assert list(found) == []
