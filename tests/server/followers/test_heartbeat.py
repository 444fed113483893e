# SPDX-License-Identifier: Apache-2.0
"""A server tells that it is there, how it stands, and nothing that is anybody's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from tabard_registry import Registry, StoreUnavailable
from tabard_registry.content.replicas import Replica, ReplicaBook, SeenReplica
from tabard_registry.log.records import RECORD_VERSION_MAX
from tabard_server.followers.heartbeat import Heartbeat
from tabard_server.version import tabard_version
from tests.registry.evidence.reports import ANN
from tests.registry.fakes import MemoryStore
from tests.server.harness import Server, serving, until

SOON, NEVER = 0.01, 3_600.0


class Shaky(MemoryStore):
    """A store that can be away."""

    is_away = False
    written = 0

    def replace(self, key: str, *, body: bytes) -> None:
        if self.is_away:
            raise StoreUnavailable("away", reason="STORE_UNAVAILABLE", hint="wait")
        self.written += 1
        super().replace(key, body=body)


def heartbeat(store: MemoryStore, *, every: float) -> tuple[Heartbeat, list[Replica]]:
    """A heartbeat, and what it tells next."""
    Registry.open(store)
    said = [Replica(id="1" * 32, state="serving", every_seconds=every)]
    return Heartbeat(ReplicaBook(store), describe=lambda: said[0], every_seconds=every), said


def states(store: MemoryStore) -> list[str]:
    """What is told."""
    return [one.replica.state for one in ReplicaBook(store).seen()]


def seqs(store: MemoryStore) -> list[int]:
    """How far the servers have read."""
    return [one.replica.seq for one in ReplicaBook(store).seen()]


def test_it_tells_at_once_and_when_something_changes() -> None:
    """Not only when it is time; and is gone when it ends."""

    async def walk() -> None:
        store = Shaky()
        heart, said = heartbeat(store, every=NEVER)
        task = asyncio.create_task(heart.run())
        await until(lambda: states(store) == ["serving"])
        said[0] = replace(said[0], state="draining")
        heart.beat()
        await until(lambda: states(store) == ["draining"])
        heart.close()
        await task
        assert states(store) == []

    asyncio.run(walk())


def test_it_goes_on_when_the_store_was_away() -> None:
    """However long; it is no failure of the server."""

    async def walk() -> None:
        store = Shaky()
        store.is_away = True
        heart, _ = heartbeat(store, every=SOON)
        task = asyncio.create_task(heart.run())
        await until(lambda: heart._is_failing)
        store.is_away = False
        await until(lambda: store.written >= 3)
        assert not heart._is_failing
        store.is_away = True
        heart.close()
        await task

    asyncio.run(walk())


def test_zero_means_never() -> None:
    """Nothing is written, and nothing is removed."""

    async def walk() -> None:
        store = Shaky()
        heart, _ = heartbeat(store, every=0.0)
        await heart.run()
        assert store.written == 0
        assert heart.replica_id == "1" * 32

    asyncio.run(walk())


def test_servers_of_one_registry_know_of_each_other(tmp_path: Path) -> None:
    """With what they are, also while they drain; a private namespace is in none of it."""

    async def walk() -> tuple[tuple[SeenReplica, ...], list[str], Server, str]:
        store = MemoryStore()
        Registry.open(store).set_policy("secret", private=True, author=ANN)
        async with (
            serving(tmp_path / "a", store=store, advertise="10.0.0.1:1") as one,
            serving(tmp_path / "b", store=store) as other,
        ):
            await one.publish("secret/ink")
            one.app._heartbeat.beat()
            await until(lambda: [seq for seq in seqs(store) if seq == one.app.registry.seq] != [])
            found = other.app._heartbeat.replicas()
            text = b"".join(body for key, body in store.held.items() if "replica/" in key).decode()
            one.app.drain()
            await until(lambda: "draining" in states(store))
            return found, states(store), one, text

    found, drained, one, text = asyncio.run(walk())

    first = next(seen.replica for seen in found if seen.replica.address == "10.0.0.1:1")
    assert (first.version, first.record_version) == (tabard_version(), RECORD_VERSION_MAX)
    assert first.base_fingerprint == one.engine.profile.fingerprint
    assert [seen.replica.state for seen in found] == ["serving", "serving"]
    assert sorted(drained) == ["draining", "serving"]
    assert "secret" not in text
