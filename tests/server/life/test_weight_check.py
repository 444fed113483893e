# SPDX-License-Identifier: Apache-2.0
"""Hashing the weights again: what has changed is named, one check at a time, steps go on."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import operations_service_pb2 as pb
from tabard_server.engine_port.port import EnginePort
from tabard_server.errors import NotServing, Overloaded
from tabard_server.life.weight_check import WeightCheck
from tabard_server.telemetry.metrics import Metrics
from tests.server.fakes import PROFILE, FakeEngine
from tests.server.harness import refusal_of, serving, until
from tests.server.telemetry.logged import logged

CHANGED = "sha256:" + "c" * 64


@dataclass
class SlowEngine(FakeEngine):
    """Its weights are hashed in pieces that wait for permission."""

    may_go_on: threading.Event = field(default_factory=threading.Event)
    pieces: int = 0

    def hash_weights(self, *, between: Callable[[], None]) -> dict[str, str]:
        while not self.may_go_on.wait(0.005):
            self.pieces += 1
            between()
        return super().hash_weights(between=between)


def check_of(engine: EnginePort[Any], *, metrics: Metrics | None = None) -> WeightCheck:
    """Make what checks an engine."""
    return WeightCheck(engine, metrics=metrics or Metrics(), retry_seconds=2.0)


def test_unchanged_weights_are_sound() -> None:
    """Both fingerprints of every component are those of the profile."""

    async def walk() -> Any:
        return await check_of(FakeEngine()).run()

    found = asyncio.run(walk())
    assert {one.component: one.found_fingerprint for one in found} == dict(PROFILE.fingerprints)
    assert all(one.is_sound for one in found)


def test_changed_weights_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """The component is in the answer and in the log, and a failure is counted."""
    metrics = Metrics()

    async def walk() -> Any:
        return await check_of(FakeEngine(changed_weights={"unet": CHANGED}), metrics=metrics).run()

    found = asyncio.run(walk())
    assert [one.component for one in found if not one.is_sound] == ["unet"]
    (told,) = logged(caplog, "weights.changed")
    assert (told["level"], told["components"]) == ("error", "unet")
    value = metrics.registry.get_sample_value
    assert value("tabard_failures_total", {"reason": "WEIGHTS_CHANGED"}) == 1.0


def test_second_check_is_refused() -> None:
    """One at a time; when it is over the next one may begin."""
    engine = SlowEngine()

    async def walk() -> float | None:
        check = check_of(engine)
        first = asyncio.create_task(check.run())
        await until(lambda: engine.pieces > 0)
        with pytest.raises(Overloaded) as refusal:
            await check.run()
        engine.may_go_on.set()
        assert await first == await check.run()
        assert refusal.value.reason == "VERIFY_BUSY"
        return refusal.value.retry_seconds

    assert asyncio.run(walk()) == 2.0


def test_caller_who_leaves_ends_it() -> None:
    """The thread stops at its next piece, and somebody else may ask at once."""
    engine = SlowEngine()

    async def walk() -> int:
        check = check_of(engine)
        first = asyncio.create_task(check.run())
        await until(lambda: engine.pieces > 0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        engine.may_go_on.set()
        return len(await check.run())

    assert asyncio.run(walk()) == len(PROFILE.fingerprints)


def test_stop_ends_it() -> None:
    """A server that stops does not wait for it, and begins no other."""
    engine = SlowEngine()

    async def walk() -> None:
        check = check_of(engine)
        running = asyncio.create_task(check.run())
        await until(lambda: engine.pieces > 0)
        check.close()
        check.close()
        with pytest.raises(NotServing):
            await running
        with pytest.raises(NotServing):
            await check.run()

    asyncio.run(walk())


def test_steps_go_on_meanwhile(tmp_path: Path) -> None:
    """Through the door: images are drawn while weights are hashed; a second call is refused."""
    engine = SlowEngine(changed_weights={"text_encoder": CHANGED})

    async def walk() -> Any:
        async with serving(tmp_path, engine=engine) as server:
            verifying = asyncio.ensure_future(server.operations.Verify(pb.VerifyRequest()))
            await until(lambda: engine.pieces > 0)
            assert (await server.generate()).kinds[-1] == "done"
            refusal = await refusal_of(server.operations.Verify(pb.VerifyRequest()))
            engine.may_go_on.set()
            return await verifying, refusal

    found, refusal = asyncio.run(walk())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "VERIFY_BUSY")
    changed = [x for x in found.components if x.loaded_fingerprint != x.found_fingerprint]
    assert [(one.component, one.found_fingerprint) for one in changed] == [
        ("text_encoder", CHANGED)
    ]
    assert found.duration.ToTimedelta() > timedelta(0)
