# SPDX-License-Identifier: Apache-2.0
"""A log line for each job that ended or was refused; when there are too many, a sample and a sum.

In: the end of a job, from any thread. Out: events of the log, so many a second at most. Failures
may take all lines of a second, successes half of them. Prompts are left out unless it is told
otherwise.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tabard_server.errors import ImageWithheld, JobCancelled, OutOfTime, ReleaseWithdrawn
from tabard_server.jobs.job import Job
from tabard_server.jobs.run import JobRun
from tabard_server.settings import Settings
from tabard_server.telemetry.logs import log_event

_OUTCOMES = {
    OutOfTime: "expired",
    JobCancelled: "cancelled",
    ReleaseWithdrawn: "withdrawn",
    ImageWithheld: "withheld",
}
_WINDOW_SECONDS = 1.0
_GOOD = ("done", "cancelled", "attached")


class JobLog:
    """Writes about jobs. Any thread."""

    def __init__(
        self,
        *,
        lines_per_second_max: int,
        has_prompts: bool,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        """Take the bound, and what calls a function so many seconds later, from any thread."""
        self._lines_max = lines_per_second_max
        self._has_prompts = has_prompts
        self._clock = clock
        self._call_later = call_later
        self._lock = threading.Lock()
        self._window_at = clock()
        self._lines = 0
        self._left_out: Counter[str] = Counter()

    def note_end(self, run: JobRun, *, outcome: str, error: Exception | None) -> None:
        """Write how an admitted job ended."""
        job = run.job
        fields: dict[str, Any] = {
            "job": job.id,
            "identity": job.identity.name,
            "tenant": job.identity.tenant,
            "outcome": outcome,
            "reason": _reason(error),
            "adapters": [f"{worn.release.adapter}@{worn.release.version}" for worn in job.worn],
            "digests": job.digests,
            "images": len(job.seeds),
            "steps": job.drawing.steps,
            "size": f"{job.drawing.width}x{job.drawing.height}",
            "registry_seq": job.registry_seq,
            "queue_seconds": run.queue_seconds if run.has_begun else None,
            "seconds": run.total_seconds,
        }
        if self._has_prompts:
            fields |= {
                "prompt": job.drawing.prompt,
                "negative_prompt": job.drawing.negative_prompt,
            }
        self._write("job.ended", outcome=outcome, fields=fields)

    def note_attached(self, job: Job, *, is_running: bool) -> None:
        """Write that a call was given the job of an earlier one."""
        fields = {
            "job": job.id,
            "identity": job.identity.name,
            "tenant": job.identity.tenant,
            "running": is_running,
        }
        self._write("job.attached", outcome="attached", fields=fields)

    def note_refusal(self, error: Exception) -> None:
        """Write that a request did not become a job."""
        self._write("job.refused", outcome="refused", fields={"reason": _reason(error)})

    def flush(self) -> None:
        """Say how many were left out since the last time, if any were. Idempotent."""
        with self._lock:
            left_out, self._left_out = self._left_out, Counter()
        if left_out:
            log_event("jobs.left_out", level=logging.WARNING, **left_out)

    def _write(self, event: str, *, outcome: str, fields: dict[str, Any]) -> None:
        if self._takes(outcome):
            level = logging.INFO if outcome in _GOOD else logging.WARNING
            log_event(
                event, level=level, **{k: v for k, v in fields.items() if v not in ("", (), [])}
            )

    def _takes(self, outcome: str) -> bool:
        lines_max = -(-self._lines_max // 2) if outcome in _GOOD else self._lines_max
        with self._lock:
            if self._clock() - self._window_at >= _WINDOW_SECONDS:
                self._window_at, self._lines = self._clock(), 0
            if self._lines < lines_max:
                self._lines += 1
                return True
            is_first = not self._left_out
            self._left_out[outcome] += 1
        if is_first:
            # The loop that calls later is closed at the very end, where `flush` is called anyway.
            with contextlib.suppress(RuntimeError):
                self._call_later(_WINDOW_SECONDS, self.flush)
        return False


def outcome_of(error: Exception | None) -> str:
    """Return the word for how a job ended."""
    if error is None:
        return "done"
    for kind, outcome in _OUTCOMES.items():
        if isinstance(error, kind):
            return outcome
    return "failed"


def job_log_for(settings: Settings) -> JobLog:
    """Make the job log of a server, on the asyncio loop that runs."""
    loop = asyncio.get_running_loop()
    return JobLog(
        lines_per_second_max=settings.log_jobs_per_second_max,
        has_prompts=settings.log_prompts,
        clock=time.monotonic,
        call_later=lambda seconds, call: loop.call_soon_threadsafe(loop.call_later, seconds, call),
    )


def _reason(error: Exception | None) -> str:
    return "" if error is None else str(getattr(error, "reason", "INTERNAL"))
