# SPDX-License-Identifier: Apache-2.0
"""Whether a server at rest holds anything still, and whether a long run was worth its time.

In: a stage on which nobody plays, or what a run had in it. Out: complaints.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from tabard.cli.demo.progress import Progress
from tests.interleavings.stage import HOST_BYTES, Stage
from tests.tally import Tally

GROWTH_MAX = 0.05
EXPECTED = (
    "act: publish",
    "act: promote",
    "act: roll_back",
    "act: quarantine",
    "act: lift",
    "act: evict_host",
    "act: evict_slots",
    "act: warm",
    "deterministic images",
    "images with controls",
    "images in regions",
    "failed: CONTROL_NOT_SERVED",
    "left by their caller",
    "failed: ROW_NOT_FINITE",
    "failed: RELEASE_QUARANTINED",
    "failed: DEADLINE_EXCEEDED",
)
"""What happens in every long run."""


async def settle_down(stage: Stage) -> None:
    """Wait until the server has nothing to do, or does nothing though it has."""
    app = stage.app

    def held() -> tuple[int, int, int]:
        return app.generation.jobs_left, app.loop.running_count, len(_flights())

    # What this process computes is a sign of progress: the server is within it.
    progress = Progress(lambda: (held(), int(time.process_time())))
    while any(held()) and not progress.has_stopped():
        await asyncio.sleep(0.01)


def check_quiet(stage: Stage) -> Iterator[str]:
    """Yield what is held, though nobody asks for anything."""
    app = stage.app
    counts = {
        "jobs": app.generation.jobs_left,
        "waiting images": app.room.depth,
        "running images": app.loop.running_count,
        "leases in host memory": sum(use.leases for use in app.cache.residents()),
        "leases of slots": sum(use.leases for use in stage.engine.residents()),
        "loads": len(_flights()),
    }
    for what, count in counts.items():
        if count:
            yield f"{count} {what} are left when all is quiet"
    if app.cache.resident_bytes > HOST_BYTES:
        yield f"{app.cache.resident_bytes} bytes are in host memory, at most {HOST_BYTES}"


def check_long_run(tally: Tally) -> Iterator[str]:
    """Yield what never happened, and that memory at the end is more than it was in the middle."""
    missing = [what for what in EXPECTED if not tally.counts[what]]
    if missing:
        yield f"{', '.join(missing)} never happened"
    if weights := tally.memory_bytes:
        middle, end = weights[len(weights) // 2], weights[-1]
        if end > middle * (1 + GROWTH_MAX):
            yield f"memory grew from {middle} to {end} bytes in the second half"


def _flights() -> list[str]:
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("load ", "warm ", "game "))]
