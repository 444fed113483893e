# SPDX-License-Identifier: Apache-2.0
"""From pixels to files, beside the engine's thread: encoding and provenance in worker threads.

In: images and previews on their way from the device, through a bounded queue of each thread; all of
one image go the same way, so a preview never comes after its image. Out: events in the job's
outbox. When a queue is full the engine waits for images, and previews are dropped.
"""

import asyncio
import contextlib
import queue
from dataclasses import dataclass
from functools import partial

from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.port import ReadbackLike
from tabard_server.errors import InvalidRequest, JobFailed
from tabard_server.jobs.job import ImageReady, Preview
from tabard_server.jobs.run import JobRun
from tabard_server.output.provenance import Origin, encode_image, encode_preview
from tabard_server.telemetry.logs import log_problem
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Daemon

_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    run: JobRun
    index: int
    readback: ReadbackLike
    preview_step: int | None


class Finisher:
    """Encodes what the engine draws. Start it once, stop it after the engine's thread."""

    def __init__(self, *, origin: Origin, backlog_max: int, metrics: Metrics) -> None:
        self._origin = origin
        self._metrics = metrics
        self._queues: list[queue.Queue[_Drawn | None]] = [
            queue.Queue(maxsize=-(-backlog_max // _THREADS)) for _ in range(_THREADS)
        ]
        self._is_stopping = False
        self._threads = [
            Daemon(f"tabard-finisher-{number}", partial(self._work, waiting))
            for number, waiting in enumerate(self._queues)
        ]

    def start(self) -> None:
        """Start the worker threads."""
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """Finish what is queued, then end the threads. Waits for them."""
        self._is_stopping = True
        for waiting in self._queues:
            # A full queue wakes its thread by itself.
            with contextlib.suppress(queue.Full):
                waiting.put_nowait(None)
        await asyncio.gather(*(thread.result() for thread in self._threads))

    def finish(self, run: JobRun, *, index: int, readback: ReadbackLike) -> None:
        """Queue a finished image; waits while the queue is full."""
        drawn = _Drawn(run=run, index=index, readback=readback, preview_step=None)
        self._queue_of(drawn).put(drawn)

    def show(self, run: JobRun, *, index: int, step: int, readback: ReadbackLike) -> None:
        """Queue a preview, or drop it when the queue is full."""
        drawn = _Drawn(run=run, index=index, readback=readback, preview_step=step)
        try:
            self._queue_of(drawn).put_nowait(drawn)
        except queue.Full:
            return

    def _queue_of(self, drawn: _Drawn) -> "queue.Queue[_Drawn | None]":
        return self._queues[(drawn.run.job.ticket + drawn.index) % _THREADS]

    def _work(self, waiting: "queue.Queue[_Drawn | None]") -> None:
        while not (self._is_stopping and waiting.empty()):
            drawn = waiting.get()
            if drawn is None or drawn.run.is_ended:
                continue
            try:
                self._encode(drawn)
            except (EngineError, InvalidRequest) as error:
                drawn.run.fail(error)
            except Exception as error:
                log_problem("image.encoding_failed", error=error, job=drawn.run.job.id)
                drawn.run.fail(
                    JobFailed("the image could not be written", reason="ENCODING_FAILED")
                )

    def _encode(self, drawn: _Drawn) -> None:
        run, index = drawn.run, drawn.index
        if drawn.preview_step is not None:
            content = encode_preview(
                drawn.readback.pixels(),
                is_composite=run.job.drawing.picture is not None,
                written=run.job.written,
            )
            run.send(Preview(index=index, step=drawn.preview_step, content=content))
            return
        pixels = drawn.readback.pixels()
        run.times.note("decoded", index=index)
        content, provenance = encode_image(pixels, job=run.job, index=index, origin=self._origin)
        run.times.note("encoded", index=index)
        self._metrics.images.inc()
        self._metrics.tenants.count_row(run.job.identity.tenant)
        recipes = [recipe.release for recipe in run.job.recipes]
        for release in (*(worn.release for worn in run.job.worn), *recipes):
            self._metrics.rows.count(str(release.adapter), str(release.version))
        if not run.job.worn:
            self._metrics.rows.count("", "")
        run.deliver(
            ImageReady(
                index=index,
                content=content,
                seed=run.job.seeds[index],
                provenance_json=provenance,
                format=run.job.written.format,
            )
        )
