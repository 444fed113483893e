# SPDX-License-Identifier: Apache-2.0
"""What callers of a server on this device get: mixed traffic through gRPC beside a diffusers loop.

In: sizes, a folder. Out, told as it comes: seconds of all pictures at once on both sides in turns,
how often that is faster, and what a newcomer waits for beside a full batch.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from tabard import Client
from tabard.cli.demo.server_process import TABARD_SERVE, running_server
from tests.bench.alone import DiffusersLoop
from tests.bench.traffic import ADAPTERS, Contest
from tests.gpu.measure.base import make_base, write_styles
from tests.gpu.measure.sizes import Sizes
from tests.gpu.parts import Tell

ROUNDS_MAX = 3
COMPILER_SECONDS_MAX = 150.0
"""Of the time of the part; kinds of pass that are not compiled by then are measured as they are."""


def measure_served(sizes: Sizes, folder: Path, options: Sequence[str], tell: Tell) -> None:
    """Measure with a server that is started with these options besides its device and dtype."""
    base = make_base(folder, sizes=sizes)
    told = ("--set", f"device={sizes.device}", "--set", f"dtype={sizes.dtype}", *options)
    with TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        releases = write_styles(place, sizes=sizes, count=ADAPTERS)
        with (
            running_server(place, command=(*TABARD_SERVE, *told), base=str(base)) as address,
            Client(address, actor="bench") as client,
        ):
            tell({"server_device": client.status().device, "pictures": sizes.pictures})
            for release in releases:
                client.publish(release.adapter, release.file, version="1.0.0", kind="lora")
                client.promote(f"{release.adapter}@1.0.0", channel="stable")
            loop = DiffusersLoop(
                base,
                releases=releases,
                steps=sizes.steps,
                device=sizes.device,
                dtype=getattr(torch, sizes.dtype),
            )
            contest = Contest(
                client, loop, releases=releases, steps=sizes.steps, backlog=sizes.pictures
            )
            contest.warm_up()
            if _await_compiler(client, tell=tell):
                contest.warm_up()
            _contend(contest, rounds=min(sizes.rounds, ROUNDS_MAX), tell=tell)


def _await_compiler(client: Client, *, tell: Tell) -> bool:
    """Wait until nothing is compiled any more, for a while; say whether anything was."""
    begun = time.monotonic()
    while (found := client.status().compiled) is not None:
        seconds = time.monotonic() - begun
        if not found.waiting or seconds > COMPILER_SECONDS_MAX:
            tell({"compiled_kinds": found.ready, "uncompiled_kinds": found.waiting})
            tell({"compiler_failure": found.failure, "compiler_seconds": seconds})
            return True
        time.sleep(0.5)
    return False


def _contend(contest: Contest, *, rounds: int, tell: Tell) -> None:
    seconds: list[tuple[float, float]] = []
    for _ in range(rounds):
        seconds.append(contest.backlog())
        tell(
            {
                "tabard_seconds": [ours for ours, _ in seconds],
                "diffusers_seconds": [theirs for _, theirs in seconds],
                "gain": median(theirs / ours for ours, theirs in seconds),
            }
        )
    waited = contest.newcomers()
    tell({"newcomer_steps": waited, "newcomer_steps_median": median(waited)})
