# SPDX-License-Identifier: Apache-2.0
"""Writes checkpoints of the registry, so that whoever opens it next need not read the whole log.

In: a word whenever records came. Out: a checkpoint in the store every so many records, written in
a thread of its own, one at a time. A failure is logged and counted and never more than that.
"""

import asyncio
import time
from collections.abc import Callable

from tabard_registry import Registry, RegistryError
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Threads

_RETRY_SECONDS = 60.0


class Checkpointer:
    """Writes checkpoints. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        records_min: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how many records make a checkpoint worth its while; 0 for never."""
        self._registry = registry
        self._records_min = records_min
        self._metrics = metrics
        self._clock = clock
        self._threads = Threads("checkpoint", threads_max=1)
        self._writing: asyncio.Task[None] | None = None
        self._not_before = clock()

    def review(self) -> None:
        """Begin a checkpoint if it is time for one and none is being written."""
        is_due = 0 < self._records_min <= self._registry.records_since_checkpoint
        if is_due and self._writing is None and self._clock() >= self._not_before:
            self._writing = asyncio.create_task(self._write(), name="tabard-checkpoint")

    async def close(self) -> None:
        """Wait for a checkpoint that is being written; begin no other. Idempotent."""
        self._records_min = 0
        if self._writing is not None:
            await self._writing
        self._threads.close()

    async def _write(self) -> None:
        begun_at = self._clock()
        try:
            key = await self._threads.run(self._registry.checkpoint, records_min=self._records_min)
        except (RegistryError, OSError) as error:
            self._metrics.registry_checkpoints.labels(outcome="failed").inc()
            self._not_before = self._clock() + _RETRY_SECONDS
            log_problem(
                "checkpoint.failed",
                reason=getattr(error, "reason", "OS_ERROR"),
                message=str(error),
                hint=getattr(error, "hint", "make room for temporary files"),
            )
        except Exception as error:
            # The outermost loop of this task: the server serves on without a new checkpoint.
            self._metrics.registry_checkpoints.labels(outcome="failed").inc()
            self._not_before = self._clock() + _RETRY_SECONDS
            log_problem("checkpoint.failed", error=error)
        else:
            if key is not None:
                self._metrics.registry_checkpoints.labels(outcome="written").inc()
                log_event("checkpoint.written", key=key, seconds=self._clock() - begun_at)
        finally:
            self._writing = None
