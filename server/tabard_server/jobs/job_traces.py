# SPDX-License-Identifier: Apache-2.0
"""The trace of each job: where its time went, told once it is over, by the asyncio thread.

In: requests, and jobs that ended. Out: spans, where traces are switched on. Prompts, tokens and
messages of errors are never part of them; adapters of private namespaces are `private`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tabard_registry.identity.identity import Identity
from tabard_server.jobs.job import Job, JobSpec
from tabard_server.jobs.run import JobRun
from tabard_server.settings import Settings
from tabard_server.telemetry.release_rows import PRIVATE
from tabard_server.version import tabard_version

if TYPE_CHECKING:
    from tabard_server.telemetry.tracing import Trace, Tracing

_NAME = "generate"


class JobTraces:
    """Traces jobs. Asyncio thread."""

    def __init__(
        self, tracing: "Tracing | None", *, is_hidden: Callable[[str], bool] = lambda _name: False
    ) -> None:
        """Take what makes traces, if anything does, and whose adapters' names stay out of them."""
        self._tracing = tracing
        self._is_hidden = is_hidden

    @property
    def is_on(self) -> bool:
        """Whether anything is traced."""
        return self._tracing is not None

    def begin(self, spec: JobSpec, *, asked_at: float) -> "JobTrace | None":
        """Begin the trace of a request; None where traces are off."""
        if self._tracing is None:
            return None
        trace = self._tracing.begin(_NAME, at=asked_at, traceparent=spec.traceparent)
        return JobTrace(trace, asked_at=asked_at, identity=spec.identity, is_hidden=self._is_hidden)

    def close(self) -> None:
        """Send what is left; waits for the collector. Idempotent."""
        if self._tracing is not None:
            self._tracing.close()


class JobTrace:
    """The trace of one request.

    Attributes:
        id: 32 hex digits.
    """

    def __init__(
        self,
        trace: "Trace",
        *,
        asked_at: float,
        identity: Identity,
        is_hidden: Callable[[str], bool],
    ) -> None:
        self.id = trace.id
        self._trace = trace
        self._asked_at = asked_at
        self._who = {"identity": identity.name, "tenant": identity.tenant}
        self._is_hidden = is_hidden

    def refuse(self, error: Exception, *, at: float) -> None:
        """End it: the request did not become a job."""
        self._trace.add("admission", begun_at=self._asked_at, ended_at=at)
        self._trace.end(at=at, reason=_reason(error), outcome="refused", **self._who)

    def end(self, run: JobRun, *, outcome: str) -> None:
        """End it: the job is over, well or badly."""
        job, times = run.job, run.times
        for part in times.parts(asked_at=self._asked_at, images=len(job.seeds)):
            which = {} if part.image is None else {"image": part.image}
            self._trace.add(part.name, begun_at=part.begun_at, ended_at=part.ended_at, **which)
        self._trace.end(
            at=times.seated_at if times.ended_at is None else times.ended_at,
            reason="" if run.error is None else _reason(run.error),
            outcome=outcome,
            job=job.id,
            adapters=self._names(job),
            images=len(job.seeds),
            steps=job.drawing.steps,
            size=f"{job.drawing.width}x{job.drawing.height}",
            registry_seq=job.registry_seq,
            **self._who,
        )

    def _names(self, job: Job) -> list[str]:
        """Say what the job wears, and the recipes that brought it."""
        worn = (*(one.release for one in job.worn), *(one.release for one in job.recipes))
        names = [
            PRIVATE
            if self._is_hidden(str(release.adapter))
            else f"{release.adapter}@{release.version}"
            for release in worn
        ]
        return list(dict.fromkeys(names))


def job_traces_for(settings: Settings, *, is_hidden: Callable[[str], bool]) -> JobTraces:
    """Make the traces of a server, as its settings say."""
    if not settings.telemetry.otlp_endpoint:
        return JobTraces(None)
    # OpenTelemetry is an extra, and costs a start its time: who does not trace does not import it.
    from tabard_server.telemetry.tracing import open_tracing  # noqa: PLC0415 - see above

    tracing = open_tracing(settings.telemetry.otlp_endpoint, version=tabard_version())
    return JobTraces(tracing, is_hidden=is_hidden)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "INTERNAL"))
