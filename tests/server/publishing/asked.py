# SPDX-License-Identifier: Apache-2.0
"""Questions to a registry, without a server around them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tabard_registry import Registry
from tabard_server.followers.follower import Follower
from tabard_server.publishing.questions import Questions
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Threads
from tests.server.harness import PATIENCE_SECONDS


@asynccontextmanager
async def questioning(registry: Registry) -> AsyncIterator[tuple[Questions, Follower]]:
    """Give what answers, and the follower that tells it of new records."""
    follower = Follower(
        registry, poll_seconds=600.0, on_records=lambda _found: None, metrics=Metrics()
    )
    threads = Threads("reads", threads_max=1)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield (
                Questions(
                    registry, follower=follower, threads=threads, jobs_wearing=lambda _digest: 3
                ),
                follower,
            )
    finally:
        follower.close()
        threads.close()
