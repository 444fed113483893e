# SPDX-License-Identifier: Apache-2.0
"""What the HTTP doors cost: OpenAI's beside gRPC in turns, idle streams, and the keeping of a job.

Processor time is told beside seconds: it says what a door costs also on a machine that has other
things to do.
"""

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import httpx

from tabard import Client
from tabard.cli.demo.server_process import TORCH_THREADS
from tabard_server.detached.folder import JobFolder
from tabard_server.engine.base.place import DEMO_BASE
from tests.clients.fakes.real_server import real_server
from tests.e2e.conftest import run_server
from tests.e2e.web.conftest import run_gateway_process
from tests.server.detached.records import done, record
from tests.server.fakes import FakeEngine

CROWD = 32
"""Images that are asked for at once."""
STEPS = 10
STREAMS = 200
IDLE_SECONDS = 30.0
KEPT = 100
"""Jobs that are kept in one round, each with one image."""
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_IMAGE_BYTES = 10_000
_PAGES = "/api/events"

Numbers = dict[str, list[float]]
Way = Callable[[Client], tuple[str, Callable[[int], object]]]
"""Gives what is watched, and what happens every second."""


def run(*, rounds: int) -> dict[str, Numbers]:
    """Return seconds of every round, by what was done and by what is measured."""
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        folder = Path(name)
        return {
            **_measure_drawing(folder, rounds=rounds),
            "idle streams": _measure_idle(folder / "idle"),
            "keeping": _measure_keeping(folder / "jobs", rounds=rounds),
        }


def report(measured: dict[str, Numbers]) -> None:
    """Print what each way costs, and the shares."""
    print(f"\n| {CROWD} images at once | seconds | server's processor | gateway's |")
    print("|---|---|---|---|")
    found = {
        way: {kind: statistics.median(seconds) for kind, seconds in measured[way].items()}
        for way in ("gRPC", "OpenAI's door", "jobs by gRPC")
    }
    for way, one in found.items():
        print(f"| {way} | {one['seconds']:.2f} | {one['server']:.2f} | {one['gateway']:.2f} |")
    pairs = zip(measured["OpenAI's door"]["seconds"], measured["gRPC"]["seconds"], strict=True)
    door, plain = found["OpenAI's door"], found["gRPC"]
    print(f"\nthe door to gRPC, median of pairs: {statistics.median(a / b for a, b in pairs):.3f}")
    share = (door["server"] + door["gateway"]) / plain["server"] - 1
    print(f"processor time that the door adds to the server's: {share:+.1%}")
    for name, [cores] in measured["idle streams"].items():
        print(f"{STREAMS} {name}: {cores:.2%} of a core")
    for name, seconds in measured["keeping"].items():
        print(f"a job of one image, {name}: {1_000 * statistics.median(seconds):.2f} ms")


def _measure_drawing(folder: Path, *, rounds: int) -> dict[str, Numbers]:
    with (
        run_server(
            folder / "server",
            base=DEMO_BASE,
            torch_threads=TORCH_THREADS,
            cache=folder / "cache",
        ) as running,
        run_gateway_process(running.address) as (url, gateway),
        Client(running.address) as client,
        httpx.Client(base_url=url, timeout=600, trust_env=False) as web,
        ThreadPoolExecutor(CROWD) as crowd,
    ):
        server = running.process.pid
        ways: dict[str, Callable[[int], None]] = {
            "gRPC": lambda seed: _by_grpc(client, seed),
            "OpenAI's door": lambda seed: _by_door(web, seed),
            "jobs by gRPC": lambda seed: _by_job(client, seed),
        }
        measured: dict[str, Numbers] = {
            way: {"seconds": [], "server": [], "gateway": []} for way in ways
        }
        for number in range(-1, rounds):
            for way in list(ways)[:: 1 if number % 2 else -1]:
                before = time.perf_counter(), _processor(server), _processor(gateway.pid)
                list(crowd.map(ways[way], range(CROWD)))
                after = time.perf_counter(), _processor(server), _processor(gateway.pid)
                if number < 0:
                    continue  # the first round warms all of them up
                for kind, first, last in zip(measured[way], before, after, strict=True):
                    measured[way][kind].append(last - first)
    return measured


def _by_grpc(client: Client, seed: int) -> None:
    client.generate("a red circle", seed=seed, num_inference_steps=STEPS)


def _by_job(client: Client, seed: int) -> None:
    client.start("a red circle", seed=seed, num_inference_steps=STEPS).wait()


def _by_door(web: httpx.Client, seed: int) -> None:
    asked = {"prompt": "a red circle", "seed": seed, "num_inference_steps": STEPS}
    web.post("/v1/images/generations", json=asked).raise_for_status()


def _measure_idle(folder: Path) -> Numbers:
    """Return which part of a core a gateway takes whose pages nobody touches, by what happens."""
    ways: dict[str, Way] = {
        "events of jobs that wait": lambda client: (
            f"/v1/jobs/{client.start('a red circle').id}/events",
            lambda _second: None,
        ),
        "open pages": lambda _client: (_PAGES, lambda _second: None),
        "open pages, a record a second": lambda client: (
            _PAGES,
            lambda second: client.edit("acme/ink@1.0.0", notes=f"{second}", reason="measured"),
        ),
    }
    return {
        name: [_measure_way(folder / str(number), way=way)]
        for number, (name, way) in enumerate(ways.items())
    }


def _measure_way(folder: Path, *, way: Way) -> float:
    engine = FakeEngine()
    engine.hold_steps()
    with (
        real_server(folder, engine=engine) as server,
        run_gateway_process(server.address) as (url, gateway),
        Client(server.address) as client,
    ):
        server.publish("acme/ink")
        path, act = way(client)
        try:
            return asyncio.run(_watch_idly(url + path, gateway.pid, act=act))
        finally:
            engine.let_go()


async def _watch_idly(url: str, gateway: int, *, act: Callable[[int], object]) -> float:
    """Return which part of a core a gateway takes; `act` happens every second."""
    limits = httpx.Limits(max_connections=STREAMS)
    async with (
        httpx.AsyncClient(timeout=None, limits=limits, trust_env=False) as web,
        contextlib.AsyncExitStack() as stack,
    ):
        answers = []
        for _ in range(STREAMS):
            answers.append(await stack.enter_async_context(web.stream("GET", url)))
            answers[-1].raise_for_status()
        heard: Counter[int] = Counter()
        reading = [asyncio.create_task(_read(one, heard)) for one in answers]
        await asyncio.sleep(3.0)
        before, begun_at = _processor(gateway), time.perf_counter()
        for second in range(int(IDLE_SECONDS)):
            await asyncio.gather(asyncio.sleep(1.0), asyncio.to_thread(act, second))
        cores = (_processor(gateway) - before) / (time.perf_counter() - begun_at)
        for one in reading:
            one.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        told = sum(heard.values())
        print(f"{told} records were told to {len(heard)} connections", file=sys.stderr)
        return cores


async def _read(answer: httpx.Response, heard: Counter[int]) -> None:
    async for part in answer.aiter_raw():
        heard[id(answer)] += part.count(b"event: record")


def _measure_keeping(folder: Path, *, rounds: int) -> Numbers:
    """Write the files of a job as a server does, as it is and without waiting for the disk."""
    jobs = JobFolder(folder)
    jobs.open()
    measured: Numbers = {"on the disk": [], "without syncing": []}
    for number in range(rounds):
        for name, is_synced in (("on the disk", True), ("without syncing", False)):
            with contextlib.nullcontext() if is_synced else patch("os.fsync"):
                begun_at = time.perf_counter()
                for job in range(KEPT):
                    _keep(jobs, f"{number:08x}{is_synced:08x}{job:016x}")
                measured[name].append((time.perf_counter() - begun_at) / KEPT)
    jobs.close()
    return measured


def _keep(jobs: JobFolder, job: str) -> None:
    jobs.begin(record(job), request=b"r" * 200)
    jobs.put_image(job, index=0, content=b"i" * _IMAGE_BYTES, provenance="{}" * 400)
    jobs.update(done(job))
    jobs.update(done(job))


def _processor(pid: int) -> float:
    """Return the processor seconds that a process has had."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
