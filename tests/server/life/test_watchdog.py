# SPDX-License-Identifier: Apache-2.0
"""Who watches: an engine that says nothing, one that died, and a registry that does not answer."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard.v1 import operations_service_pb2 as pb
from tabard_registry import StoreUnavailable
from tabard_server.life.readiness import Readiness, State
from tabard_server.life.watchdog import Watchdog
from tabard_server.settings import Settings
from tabard_server.telemetry.metrics import Metrics
from tests.registry.fakes import MemoryStore
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, Server, refusal_of, serving, until


@dataclass
class Engine:
    """A thread as the watchdog sees it."""

    silent_seconds: float = 0.0
    is_dead: bool = False


@dataclass
class Watched:
    """A watchdog over things that are set by hand."""

    settings: Settings
    engine: Engine = field(default_factory=Engine)
    lag_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.readiness = Readiness(metrics=Metrics(), retry_seconds=1.0)
        self.readiness.leave(State.STARTING)
        self.watchdog = Watchdog(
            self.readiness,
            engine=self.engine,
            lag_seconds=lambda: self.lag_seconds,
            settings=self.settings,
        )

    def look(self) -> State:
        """Look once."""
        self.watchdog.look()
        return self.readiness.state


def test_silent_engine_is_stalled() -> None:
    """Beyond the bound and not before; it is over as soon as the engine is heard of."""
    watched = Watched(Settings(engine_stall_seconds_max=60.0))
    states = []
    for silent in (0.0, 60.0, 60.1, 700.0, 0.2):
        watched.engine.silent_seconds = silent
        states.append(watched.look())

    assert states == [State.SERVING, State.SERVING, State.STALLED, State.STALLED, State.SERVING]


def test_stall_began_with_the_silence() -> None:
    """How long it lasts is counted from the last sign of life, not from when it was noticed."""
    watched = Watched(Settings(engine_stall_seconds_max=60.0))
    watched.engine.silent_seconds = 75.0
    watched.look()
    (cause,) = watched.readiness.causes

    assert cause.reason == "ENGINE_STALLED"
    assert 75.0 <= watched.readiness.seconds(cause) < 135.0


def test_dead_engine_is_stalled() -> None:
    """A thread that is over says nothing, and will not; however short its silence is."""
    watched = Watched(Settings())
    watched.engine.is_dead = True

    assert watched.look() is State.STALLED
    assert "died" in watched.readiness.causes[0].message


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({}, State.SERVING),
        ({"staleness_seconds_max": 30.0}, State.DEGRADED),
        ({"staleness_seconds_max": 30.0, "when_stale": "refuse"}, State.STALE),
        ({"when_stale": "refuse"}, State.SERVING),
    ],
)
def test_stale_registry_is_what_the_settings_say(settings: Any, state: State) -> None:
    """Off by default, whatever the lag; else degraded or refusing, until the registry answers."""
    watched = Watched(Settings(**settings))
    states = []
    for lag in (29.0, 31.0, 90_000.0, 0.1):
        watched.lag_seconds = lag
        states.append(watched.look())

    assert states == [State.SERVING, state, state, State.SERVING]


def test_stuck_step_is_seen_and_forgiven(tmp_path: Path) -> None:
    """Health, status, metric and refusal say that the engine is stuck; then all serve again."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(
            tmp_path, engine=engine, engine_stall_seconds_max=0.05, watchdog_seconds=0.01
        ) as server:
            stuck = asyncio.ensure_future(server.generate())
            await until(lambda: server.app.readiness.state is State.STALLED)
            await until_health(server, health_pb2.HealthCheckResponse.NOT_SERVING)
            status = await server.status()
            refusal = await refusal_of(server.generation.Generate(Request(prompt="x")))
            published = await server.publish("acme/ink")

            assert (status.state, status.causes[0].reason) == (
                pb.SERVER_STATE_STALLED,
                "ENGINE_STALLED",
            )
            assert status.causes[0].duration.ToTimedelta().total_seconds() > 0.05
            assert metric(server, "tabard_state", state="stalled") == 1.0
            assert metric(server, "tabard_engine_silent_seconds") > 0.05
            assert (refusal.reason, refusal.retry_seconds) == ("ENGINE_STALLED", 1.0)
            assert published.release.version == "1.0.0"

            engine.let_go()
            await until_health(server, health_pb2.HealthCheckResponse.SERVING)
            assert (await stuck).kinds[-1] == "done"
            assert (await server.generate()).kinds[-1] == "done"
            assert (await server.status()).state == pb.SERVER_STATE_SERVING
            assert metric(server, "tabard_engine_silent_seconds") == 0.0

    asyncio.run(walk())


def test_idle_engine_is_not_stalled(tmp_path: Path) -> None:
    """A server without work is silent for hours, and serves."""

    async def walk() -> None:
        async with serving(
            tmp_path, engine_stall_seconds_max=0.02, watchdog_seconds=0.005
        ) as server:
            await server.generate()
            await asyncio.sleep(0.1)
            assert server.app.readiness.causes == ()
            assert (await server.generate()).kinds[-1] == "done"

    asyncio.run(walk())


@pytest.mark.parametrize("when_stale", ["degrade", "refuse"])
def test_server_cut_off_says_so(tmp_path: Path, when_stale: str) -> None:
    """Beyond the bound it is degraded or refuses, as it was told; it recovers by itself."""
    store = CutOff()

    async def walk() -> None:
        async with serving(
            tmp_path,
            store=store,
            poll_seconds=0.02,
            staleness_seconds_max=0.2,
            when_stale=when_stale,
            watchdog_seconds=0.01,
        ) as server:
            store.is_cut_off = True
            await until(lambda: server.app.readiness.causes != ())
            status = await server.status()
            assert status.causes[0].reason == "REGISTRY_STALE"
            assert status.registry_lag.ToTimedelta().total_seconds() > 0.2
            if when_stale == "degrade":
                assert status.state == pb.SERVER_STATE_DEGRADED
                assert (await server.generate()).kinds[-1] == "done"
                await until_health(server, health_pb2.HealthCheckResponse.SERVING)
            else:
                assert status.state == pb.SERVER_STATE_STALE
                refusal = await refusal_of(server.generation.Generate(Request(prompt="x")))
                assert (refusal.code.name, refusal.reason) == ("UNAVAILABLE", "REGISTRY_STALE")
                assert refusal.hint
                assert refusal.retry_seconds is not None
                await until_health(server, health_pb2.HealthCheckResponse.NOT_SERVING)
            store.is_cut_off = False
            await until_health(server, health_pb2.HealthCheckResponse.SERVING)
            await until(lambda: server.app.readiness.causes == ())
            assert (await server.generate()).kinds[-1] == "done"

    asyncio.run(walk())


class CutOff(MemoryStore):
    """A store that can be out of reach."""

    is_cut_off = False

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        if self.is_cut_off:
            raise StoreUnavailable("out of reach", reason="STORE_UNAVAILABLE", hint="wait")
        return super().read(key, bytes_max=bytes_max)


def metric(server: Server, name: str, **labels: str) -> float:
    """Return a metric's value."""
    value = server.app.metrics.registry.get_sample_value(name, labels)
    assert value is not None, name
    return value


async def until_health(server: Server, status: int) -> None:
    """Wait until health says so."""
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    async with asyncio.timeout(60):
        while (await stub.Check(health_pb2.HealthCheckRequest())).status != status:
            await asyncio.sleep(0.005)
