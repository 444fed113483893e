# SPDX-License-Identifier: Apache-2.0
"""Several servers on one registry: what one does the others serve; watches; a store that is out."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import Registry, StoreUnavailable
from tabard_registry.store.store import Outcome
from tabard_server.publishing import questions
from tests.registry.fakes import MemoryStore
from tests.server.harness import Refusal, Server, refusal_of, serving, until


async def stock(server: Server) -> None:
    """Publish two releases, and promote both in turn."""
    for version in ("1.0.0", "1.1.0"):
        await server.publish("acme/ink", version)
        await server.promote(f"acme/ink@{version}")


async def read(call: Any, count: int) -> list[int]:
    """Read so many records, and return their positions."""
    found = [(await call.read()).record.seq for _ in range(count)]
    call.cancel()
    return found


def test_move_here_is_admitted_there(tmp_path: Path) -> None:
    """A promotion and a rollback made through one server are what the other admits with."""

    async def walk() -> list[str]:
        found = []
        async with serving(tmp_path) as here, serving(tmp_path) as there:
            await stock(here)
            for move in (here.promote("acme/ink@1.0.0"), here.roll_back("acme/ink")):
                seq = (await move).seq
                own = await here.generate(adapters=["acme/ink"])
                await until(lambda seq=seq: there.app.registry.seq >= seq)
                other = await there.generate(adapters=["acme/ink"])
                found += [told.accepted.worn[0].version for told in (own, other)]
        return found

    assert asyncio.run(walk()) == ["1.0.0", "1.0.0", "1.1.0", "1.1.0"]


def test_both_write_one_log(tmp_path: Path) -> None:
    """Acts through two servers at once all land, in one order that both see."""

    async def walk() -> None:
        async with serving(tmp_path) as here, serving(tmp_path) as there:
            await stock(here)
            await until(lambda: there.app.registry.seq == 4)
            await asyncio.gather(
                *(
                    s.promote("acme/ink@1.0.0", channel=f"{s is here}-{n}".lower())
                    for n in range(8)
                    for s in (here, there)
                )
            )
            await until(lambda: here.app.registry.seq == there.app.registry.seq)
            assert here.app.registry.state.head == there.app.registry.state.head
            line = here.app.registry.state.adapters_after()[0]
            assert len(line.channels) == 17

    asyncio.run(walk())


def test_other_replica_warms_up(tmp_path: Path) -> None:
    """What was promoted elsewhere is loaded here before anybody asks, and kept longest."""

    async def walk() -> None:
        async with serving(tmp_path) as here, serving(tmp_path) as there:
            await here.publish("acme/ink")
            digest = (await here.promote("acme/ink@1.0.0")).digest
            memory = there.app.cache._memory
            await until(lambda: digest in memory and digest in memory._favoured)
            status = await there.status()
            assert [one.adapter for one in status.residents] == ["acme/ink"]

    asyncio.run(walk())


def test_worn_line_is_favoured(tmp_path: Path) -> None:
    """A server that was started later favours a line as soon as somebody wears it, no sooner."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await stock(server)
        async with serving(tmp_path) as later:
            assert later.app.cache._memory._favoured == frozenset()
            await later.generate(adapters=["acme/ink@1.0.0"])
            line = later.app.registry.state.adapters_after()[0]
            assert later.app.cache._memory._favoured == {str(digest) for digest in line.by_digest}

    asyncio.run(walk())


@pytest.mark.parametrize("page", [1, 256])
def test_watch_begins_before_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Records that the snapshot no longer holds come from the log, in pages, each once."""
    monkeypatch.setattr(questions, "_RECORDS_AT_ONCE", page)

    async def walk() -> list[int]:
        async with serving(tmp_path) as server:
            await stock(server)
            server.app.registry.checkpoint()
        async with serving(tmp_path) as server:
            call = server.registry.Watch(pb.WatchRequest(from_seq=2))
            reading = asyncio.create_task(read(call, 4))
            await server.publish("acme/pen")
            return await reading

    assert asyncio.run(walk()) == [2, 3, 4, 5]


def test_watch_tells_each_author(tmp_path: Path) -> None:
    """A record of the log has its id, its chain, and who did each act."""

    async def walk() -> Any:
        async with serving(tmp_path) as server:
            await stock(server)
            call = server.registry.Watch(pb.WatchRequest(from_seq=2))
            record = (await call.read()).record
            call.cancel()
            return record

    record = asyncio.run(walk())
    assert record.id
    assert record.prev.startswith("sha256:")
    assert record.actions[0].actor == record.actor == "tester"


def test_server_keeps_checkpoints(tmp_path: Path) -> None:
    """Every so many records, while it serves."""

    async def walk() -> None:
        async with serving(tmp_path, checkpoint_records=3) as server:
            await stock(server)
            value = server.app.metrics.registry.get_sample_value
            labels = {"outcome": "written"}
            await until(lambda: value("tabard_registry_checkpoints_total", labels) == 1.0)
        reopened = Registry.open((tmp_path / "registry").as_uri())
        assert reopened.records_since_checkpoint < 4
        reopened.close()

    asyncio.run(walk())


class Outage(MemoryStore):
    """A store that can be out of reach."""

    is_out = False

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        self._refuse(key)
        return super().read(key, bytes_max=bytes_max)

    def create(self, key: str, *, body: bytes) -> Outcome:
        self._refuse(key)
        return super().create(key, body=body)

    def _refuse(self, key: str) -> None:
        if self.is_out:
            raise StoreUnavailable(
                f"{key} is out of reach", reason="STORE_UNAVAILABLE", hint="check the endpoint"
            )


def test_unreachable_store_stops_acts_only(tmp_path: Path) -> None:
    """Images of what is loaded go on, questions are answered; acts are told to come back."""

    async def walk() -> tuple[Any, Refusal, Any, Any]:
        store = Outage()
        async with serving(tmp_path, store=store) as server:
            await stock(server)
            await server.generate(adapters=["acme/ink"])
            store.is_out = True
            told = await server.generate(adapters=["acme/ink"])
            refusal = await refusal_of(server.promote("acme/ink@1.0.0"))
            found = await server.registry.GetAdapter(pb.GetAdapterRequest(adapter="acme/ink"))
            await until(lambda: server.app._follower.lag_seconds > 0.2)
            status = await server.status()
            store.is_out = False
            assert (await server.promote("acme/ink@1.0.0")).moved
            return told, refusal, found, status

    told, refusal, found, status = asyncio.run(walk())
    assert told.kinds[-1] == "done"
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert refusal.hint == "check the endpoint"
    assert refusal.retry_seconds is not None
    assert len(found.adapter.releases) == 2
    assert status.registry_lag.ToTimedelta().total_seconds() > 0.2
