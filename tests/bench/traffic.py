# SPDX-License-Identifier: Apache-2.0
"""What users of a busy server wait for: a backlog, spread arrivals, one client alone, a newcomer.

Tabard through gRPC, in a process of its own; diffusers in this one, with all adapters loaded and
switched by `set_adapters`, one image after the other as behind a lock. They take turns.
"""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tabard import Client
from tabard.cli.demo.catalog import DemoRelease, find_material, read_catalog
from tabard.cli.demo.server_process import TABARD_SERVE, running_server
from tabard.result import Progress
from tests.bench.alone import DiffusersLoop
from tests.bench.workload import Picture

ADAPTERS = 8
BACKLOG = 64
ARRIVALS = BACKLOG
ALONE = 6
NEWCOMERS = 5
CROWD = 8
ROUNDS = 5
LOAD = 1.1
"""Arrivals a second, as a share of what diffusers can draw: it just cannot keep up."""

Numbers = dict[str, Any]


def run(*, rounds: int = ROUNDS, steps: int = 10, options: Sequence[str] = ()) -> Numbers:
    """Measure all four, in turns; `options` are those of `tabard serve`."""
    material = find_material()
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        folder = Path(name)
        releases = _releases(folder, style=read_catalog(material / "adapters").style)
        with (
            running_server(folder, command=(*TABARD_SERVE, *options)) as address,
            Client(address, actor="bench") as client,
        ):
            for release in releases:
                client.publish(release.adapter, release.file, version="1.0.0", kind="lora")
                client.promote(f"{release.adapter}@1.0.0", channel="stable")
            loop = DiffusersLoop(material / "base", releases=releases, steps=steps)
            return Contest(client, loop, releases=releases, steps=steps).run(rounds=rounds)


def report(measured: Numbers) -> None:
    """Print the table."""
    threads, steps = measured["threads"], measured["steps"]
    print(f"traffic on the demo base, {steps} steps, diffusers with {threads} threads")
    for name, title, least in (
        ("backlog", f"{BACKLOG} requests at once, {ADAPTERS} adapters: throughput", "at least 2.5"),
        ("spread", f"{ARRIVALS} spread arrivals: mean latency", "at most 0.6"),
        ("alone", "one client, one adapter: throughput", "at least 0.97"),
    ):
        ours, theirs = measured[f"{name}_tabard"], measured[f"{name}_diffusers"]
        ratio = median(theirs) / median(ours)
        shown = 1 / ratio if name == "spread" else ratio
        print(
            f"  {title:<52} tabard {median(ours):7.2f} s, diffusers {median(theirs):7.2f} s, "
            f"ratio {shown:5.2f} ({least})"
        )
    steps_waited = median(measured["newcomer_steps"])
    print(f"  a newcomer's first step under full load: {steps_waited:.2f} step times (at most 2)")


class Contest:
    """Both sides, and what they are asked for."""

    def __init__(
        self,
        client: Client,
        loop: DiffusersLoop,
        *,
        releases: Sequence[DemoRelease],
        steps: int,
        backlog: int = BACKLOG,
    ) -> None:
        """Take both sides, and what was published."""
        self._client, self._loop, self._steps = client, loop, steps
        dice = random.Random(5)
        self._pictures = [
            Picture(prompt=one.prompt, adapter=one.adapter, seed=number)
            for number, one in enumerate(dice.choices(releases, k=backlog))
        ]
        self._gaps = [dice.expovariate(1.0) for _ in range(ARRIVALS)]

    def run(self, *, rounds: int) -> Numbers:
        """Measure."""
        measured: dict[str, list[float]] = {}
        crowd, alone = self._pictures, [self._pictures[0]] * ALONE
        self.warm_up()
        for _ in range(rounds):
            ours, taken = self.backlog()
            measured.setdefault("backlog_tabard", []).append(ours)
            measured.setdefault("backlog_diffusers", []).append(taken)
            pace = taken / len(crowd) / LOAD
            for name, draw, at_once in (
                ("tabard", self._draw, ARRIVALS),
                ("diffusers", self._loop.draw, 1),
            ):
                waited = self._spread(draw=draw, pace=pace, at_once=at_once)
                measured.setdefault(f"spread_{name}", []).append(mean(waited))
            measured.setdefault("alone_tabard", []).append(self._in_turn(alone, draw=self._draw))
            taken = self._in_turn(alone, draw=self._loop.draw)
            measured.setdefault("alone_diffusers", []).append(taken)
            measured.setdefault("newcomer_steps", []).extend(self.newcomers())
        return {"threads": torch.get_num_threads(), "steps": self._steps, **measured}

    def warm_up(self) -> None:
        """Let both sides draw, so that what they do once is behind them."""
        self._loop.draw(self._pictures[0])
        self._together(self._pictures[:CROWD], draw=self._draw)

    def backlog(self) -> tuple[float, float]:
        """Return the seconds of all pictures asked for at once: ours, then those of diffusers."""
        ours = self._together(self._pictures, draw=self._draw)
        return ours, self._in_turn(self._pictures, draw=self._loop.draw)

    def _draw(self, picture: Picture) -> None:
        self._client.generate(
            picture.prompt,
            adapters=[picture.adapter],
            seed=picture.seed,
            num_inference_steps=self._steps,
            sampler="ddim",
        )

    def _together(self, pictures: Sequence[Picture], *, draw: Callable[[Picture], None]) -> float:
        begun = time.perf_counter()
        with ThreadPoolExecutor(len(pictures)) as callers:
            list(callers.map(draw, pictures))
        return time.perf_counter() - begun

    def _in_turn(self, pictures: Sequence[Picture], *, draw: Callable[[Picture], None]) -> float:
        begun = time.perf_counter()
        for picture in pictures:
            draw(picture)
        return time.perf_counter() - begun

    def _spread(self, *, draw: Callable[[Picture], None], pace: float, at_once: int) -> list[float]:
        """Send requests as time passes; return how long each waited for its image."""

        def drawn(picture: Picture, asked_at: float) -> float:
            draw(picture)
            return time.perf_counter() - asked_at

        waiting = []
        with ThreadPoolExecutor(at_once) as callers:
            due = time.perf_counter()
            for picture, gap in zip(self._pictures, self._gaps, strict=False):
                due += gap * pace
                time.sleep(max(0.0, due - time.perf_counter()))
                waiting.append(callers.submit(drawn, picture, due))
        return [one.result() for one in waiting]

    def newcomers(self, *, steps: int = 100) -> list[float]:
        """Return how many step times a new request waits for its first step beside a full batch.

        Args:
            steps: Of the pictures that are the batch.
        """
        long = [replace(picture, seed=1000 + n) for n, picture in enumerate(self._pictures[:CROWD])]
        ticks: list[float] = []

        def fill(picture: Picture) -> None:
            with closing(self._stream(picture, steps=steps)) as job:
                for event in job:
                    if isinstance(event, Progress) and picture is long[0]:
                        ticks.append(time.perf_counter())
                    if is_over:
                        return

        is_over: list[bool] = []
        waited = []
        with ThreadPoolExecutor(CROWD) as callers:
            for picture in long:
                callers.submit(fill, picture)
            while len(ticks) < CROWD:
                time.sleep(0.01)
            for number in range(NEWCOMERS):
                time.sleep(0.1 * number)
                begun = time.perf_counter()
                with closing(self._stream(self._pictures[number], steps=self._steps)) as job:
                    next(event for event in job if isinstance(event, Progress))
                waited.append(time.perf_counter() - begun)
            is_over.append(True)
        gaps = [after - before for before, after in itertools.pairwise(ticks)]
        return [one / median(gaps) for one in waited]

    def _stream(self, picture: Picture, *, steps: int) -> Any:
        return self._client.stream(
            picture.prompt,
            adapters=[picture.adapter],
            seed=picture.seed,
            num_inference_steps=steps,
            sampler="ddim",
        )


def _releases(folder: Path, *, style: DemoRelease) -> list[DemoRelease]:
    """Make eight styles of one: the same layers and ranks, other numbers."""
    with safe_open(style.file, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        metadata = file.metadata()
    releases = []
    for number in range(ADAPTERS):
        path = folder / f"style{number}.safetensors"
        turned = {
            key: tensor.roll(number, 0).contiguous() if tensor.dim() > 1 else tensor
            for key, tensor in tensors.items()
        }
        save_file(turned, path, metadata=metadata)
        releases.append(replace(style, file=path, adapter=f"bench/style{number}"))
    return releases
