# SPDX-License-Identifier: Apache-2.0
"""Ten times as many callers as places: how much is still drawn, for whom, and what others are told.

`python -m tests.soak.overload`; exit status 1: something is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from tabard import TabardError
from tabard.rpc_errors import tabard_error
from tabard.v1 import generation_service_pb2 as pb
from tabard.v1.generation_service_pb2_grpc import GenerationServiceStub
from tests.bases import make_tiny_base
from tests.e2e.conftest import RunningServer, run_server
from tests.soak.open_loop import Arrivals, arrive
from tests.soak.process_figures import Watch, cpu_seconds
from tests.soak.tenant_server import TENANT_METADATA
from tests.soak.verdict import Latency

STEPS = 20
BATCH = 4
RUNNING = 8
QUEUE = 16
WEIGHTS = {"studio": 2.0, "agency": 1.0, "light": 1.0}
REQUEST = pb.GenerateRequest(prompt="a", num_inference_steps=STEPS, width=32, height=32)
_TYPED = {"QUEUE_FULL", "DEADLINE_UNREACHABLE", "CALLS_BUSY"}
ROUNDS = 5
"""A shared machine drifts within minutes: overload is measured between two capacities."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """What callers of one tenant saw.

    Attributes:
        seconds: Of each image, from the request that was taken.
        reasons: Of refusals.
        untold: Refusals without a time to come back.
        kept: Promises that were true: who waited so long got in.
        broken: Promises that were not.
    """

    seconds: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    untold: int = 0
    kept: int = 0
    broken: int = 0

    def add(self, other: Seen) -> None:
        """Count what was seen another time, too."""
        self.seconds += other.seconds
        self.reasons += other.reasons
        self.untold += other.untold
        self.kept += other.kept
        self.broken += other.broken


class Crowd:
    """Callers, each a thread with a connection of its own."""

    def __init__(self, server: RunningServer) -> None:
        self._address = server.address
        self._pid = server.process.pid
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.seen = {tenant: Seen() for tenant in WEIGHTS}

    def send(self, tenant: str, count: int) -> None:
        """Let so many callers of a tenant ask, one image after the other."""
        for _ in range(count):
            thread = threading.Thread(target=self._call, args=(tenant,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def watch(self, seconds: float) -> Pace:
        """Wait so long; return how fast images were drawn, of all tenants."""
        before, cpu = self._count(), cpu_seconds(self._pid)
        time.sleep(seconds)
        images = self._count() - before
        return Pace(
            images=images / seconds,
            cpu_ms=1000 * (cpu_seconds(self._pid) - cpu) / max(images, 1),
        )

    def forget(self) -> None:
        """See anew from now on."""
        for tenant in self.seen:
            self.seen[tenant] = Seen()

    def disperse(self) -> None:
        """Let all go, and wait for them."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _count(self) -> int:
        return sum(len(seen.seconds) for seen in self.seen.values())

    def _call(self, tenant: str) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(self._address, options=options) as channel:
            stub = GenerationServiceStub(channel)
            was_told = False
            while not self._stop.is_set():
                was_told = self._ask(stub, tenant, was_told=was_told)

    def _ask(self, stub: GenerationServiceStub, tenant: str, *, was_told: bool) -> bool:
        """Ask once; say whether it was refused and waited as it was told."""
        begun_at = time.monotonic()
        try:
            for _event in stub.Generate(
                REQUEST, timeout=300.0, metadata=((TENANT_METADATA, tenant),)
            ):
                pass
        except grpc.RpcError as failure:
            error: TabardError = tabard_error(failure, address=self._address)  # type: ignore[arg-type]
            seen = self.seen[tenant]
            seen.reasons[error.reason] += 1
            seen.broken += was_told
            told = error.retry_after_seconds
            seen.untold += told is None
            self._stop.wait(told or 0.1)
            return told is not None
        # Looked up at the end: what began before `forget` and is done after it counts.
        seen = self.seen[tenant]
        seen.kept += was_told
        seen.seconds.append(time.monotonic() - begun_at)
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a server drew for a while.

    Attributes:
        images: In a second.
        cpu_ms: Processor time of the server, of each image.
    """

    images: float
    cpu_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was measured.

    Attributes:
        full: While all who ask find a place, before each of the rounds and after the last.
        rounds: With ten times as many callers as places.
        beside: A light caller's seconds beside one full batch.
        crowded: What each tenant saw under overload.
        rss: Memory of the server, as it grew under overload.
        opened: What became of ten times as many requests a second as can be drawn, from callers
            who do not wait.
        opened_rss: Memory of the server, as it grew meanwhile.
    """

    full: list[Pace]
    rounds: list[Pace]
    beside: Latency
    crowded: dict[str, Seen]
    rss: float
    opened: Arrivals
    opened_rss: float

    @property
    def goodput(self) -> float:
        """What is still drawn, as a part of the capacity before and after: the rounds' median."""
        return statistics.median(
            2 * crowded.images / (before.images + after.images)
            for before, crowded, after in zip(self.full, self.rounds, self.full[1:], strict=False)
        )


def measure(server: RunningServer, *, seconds: float) -> Outcome:
    """Measure all, one after the other."""
    beside = Crowd(server)
    beside.send("studio", BATCH)
    beside.send("light", 1)
    beside.watch(seconds / 4)
    beside.disperse()
    watch = Watch(server.process.pid, every_seconds=1.0)
    full = [_capacity(server, seconds=seconds / ROUNDS)]
    rounds: list[Pace] = []
    crowded = {tenant: Seen() for tenant in WEIGHTS}
    for _ in range(ROUNDS):
        crowd = _crowd(server)
        # All callers come at once, and what the first are told is thought of before the others
        # are there.
        crowd.watch(seconds / ROUNDS / 2)
        crowd.forget()
        rounds.append(crowd.watch(seconds / ROUNDS))
        crowd.disperse()
        for tenant, seen in crowd.seen.items():
            crowded[tenant].add(seen)
        full.append(_capacity(server, seconds=seconds / ROUNDS))
    watch.stop()
    flood = Watch(server.process.pid, every_seconds=0.5)
    opened = arrive(
        server.address,
        REQUEST,
        rate=10 * statistics.median(pace.images for pace in full),
        seconds=seconds / 4,
        metadata=((TENANT_METADATA, "studio"),),
    )
    flood.stop()
    return Outcome(
        full=full,
        rounds=rounds,
        beside=Latency.of(beside.seen["light"].seconds),
        crowded=crowded,
        rss=watch.change_of("rss_bytes", warm_up=0.25).ratio,
        opened=opened,
        opened_rss=flood.change_of("rss_bytes", warm_up=0.25).ratio,
    )


def _crowd(server: RunningServer) -> Crowd:
    """Return ten times as many callers as places, of three tenants."""
    crowd = Crowd(server)
    crowd.send("light", 1)
    for tenant in ("studio", "agency"):
        crowd.send(tenant, 10 * (RUNNING + QUEUE) // 2)
    return crowd


def _capacity(server: RunningServer, *, seconds: float) -> Pace:
    full = Crowd(server)
    full.send("studio", RUNNING + QUEUE // 2)
    full.watch(seconds / 2)
    capacity = full.watch(seconds)
    full.disperse()
    return capacity


def figures(outcome: Outcome) -> Iterator[str]:
    """Tell what was measured, a line each."""
    for name, paces in (("with places", outcome.full), ("under overload", outcome.rounds)):
        cpu = statistics.median(pace.cpu_ms for pace in paces)
        told = ", ".join(f"{pace.images:.1f}" for pace in paces)
        yield f"images/s {name}: {told}; processor time of an image {cpu:.1f} ms"
    yield f"still drawn under overload: {outcome.goodput:.1%}, median of {ROUNDS} rounds"
    for tenant, seen in outcome.crowded.items():
        took = Latency.of(seen.seconds)
        yield (
            f"  {tenant:<8} {took.count:5d} images, p99 {took.p99:.2f} s; came back and got in "
            f"{seen.kept} of {seen.kept + seen.broken}; refused {dict(seen.reasons)}"
        )
    light = Latency.of(outcome.crowded["light"].seconds)
    yield f"  light p99 {light.p99:.2f} s, beside one full batch {outcome.beside.p99:.2f} s"
    yield f"  shares {json.dumps(_parts(outcome))}; memory {outcome.rss - 1:+.1%}"
    opened = outcome.opened
    yield (
        f"  open loop: {opened.sent} requests, {opened.drawn} drawn, refused "
        f"{dict(opened.reasons)}; memory {outcome.opened_rss - 1:+.1%}"
    )


def faults(outcome: Outcome) -> Iterator[str]:
    """Tell everything that is not as it must be."""
    if outcome.goodput < 0.95:
        yield f"goodput is {outcome.goodput:.0%} of capacity"
    kept = sum(seen.kept for seen in outcome.crowded.values())
    told = kept + sum(seen.broken for seen in outcome.crowded.values())
    if kept < 0.9 * told:
        yield f"{kept} of {told} who came back as they were told got in"
    every: list[Seen | Arrivals] = [*outcome.crowded.values(), outcome.opened]
    for seen in every:
        if untyped := {*seen.reasons} - _TYPED:
            yield f"refused as {sorted(untyped)}"
        if seen.untold:
            yield f"{seen.untold} refusals without a time to come back"
    light = Latency.of(outcome.crowded["light"].seconds)
    if light.p99 >= 2 * outcome.beside.p99:
        yield f"light p99 is {light.p99:.2f} s, beside one full batch {outcome.beside.p99:.2f} s"
    for tenant, part in _parts(outcome).items():
        if part < 0.9:
            yield f"{tenant} has {part:.0%} of its share"
    for grown in (outcome.rss, outcome.opened_rss):
        if grown > 1.05:
            yield f"memory grew by {grown - 1:.1%}"


def _parts(outcome: Outcome) -> dict[str, float]:
    """Return what those had who always ask, as a part of what they should have of it."""
    busy = {tenant: len(outcome.crowded[tenant].seconds) for tenant in ("studio", "agency")}
    weights = sum(WEIGHTS[tenant] for tenant in busy)
    total = sum(busy.values()) or 1
    return {
        tenant: round(images / total / (WEIGHTS[tenant] / weights), 3)
        for tenant, images in busy.items()
    }


def main() -> int:
    """Measure, tell the figures, then the faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.overload", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    options = parser.parse_args()
    settings = {
        "tenants": json.dumps([{"name": name, "weight": w} for name, w in WEIGHTS.items()]),
        "limits_queue_rows_max": QUEUE,
        "limits_running_rows_max": RUNNING,
        "limits_rows_per_step_max": BATCH,
    }
    with tempfile.TemporaryDirectory(prefix="tabard-overload-") as folder:
        base = make_tiny_base(Path(folder) / "base")
        module = "tests.soak.tenant_server"
        with run_server(Path(folder) / "server", base=base, module=module, **settings) as server:
            # Callers are on machines of their own; here they must not take the server's time.
            os.nice(19)
            outcome = measure(server, seconds=options.minutes * 60)
    print(*figures(outcome), sep="\n", flush=True)
    found = list(faults(outcome))
    print(*(f"FAULT: {one}" for one in found), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
