# SPDX-License-Identifier: Apache-2.0
"""From pixels to files, beside the engine's thread: encoding and provenance in worker threads.

In: images and previews on their way from the device, through a bounded queue of each thread; all of
one image go the same way, so a preview never comes after its image. Out: events in the job's
outbox, of what `clearance` lets pass. When a queue is full the engine waits for images, and
previews are dropped.
"""

import asyncio
import contextlib
import queue
from dataclasses import dataclass
from functools import partial

from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.port import ReadbackLike
from tabard_server.errors import ImageWithheld, InvalidRequest, JobFailed
from tabard_server.jobs.job import ImageReady, Job, Preview
from tabard_server.jobs.run import JobRun
from tabard_server.output.clearance import Clearance, clearance_for
from tabard_server.output.provenance import Origin, encode_image, encode_preview
from tabard_server.safety.blurring import blurred
from tabard_server.safety.check import Classify
from tabard_server.settings import Settings
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
    """Encodes what the engine draws. Start it once, stop it after the engine's thread.

    Attributes:
        clearance: What pictures go through before they are sent.
    """

    def __init__(
        self, *, origin: Origin, clearance: Clearance, backlog_max: int, metrics: Metrics
    ) -> None:
        self._origin = origin
        self.clearance = clearance
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
        self.clearance.start()
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
        self.clearance.close()

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
            self._send_preview(drawn, step=drawn.preview_step)
            return
        pixels = drawn.readback.pixels()
        run.times.note("decoded", index=index)
        self._count_rows(run.job)
        try:
            image = self._image(pixels, job=run.job, index=index)
        except (ImageWithheld, JobFailed) as error:
            run.forgo(index, error)
            return
        run.times.note("encoded", index=index)
        self._metrics.images.inc()
        run.deliver(image)

    def _send_preview(self, drawn: _Drawn, *, step: int) -> None:
        job = drawn.run.job
        is_composite = job.drawing.picture is not None
        content = encode_preview(
            drawn.readback.pixels(), is_composite=is_composite, written=job.written
        )
        # A look that is missing harms nobody: the image itself will say why.
        with contextlib.suppress(JobFailed):
            content = self.clearance.sign(content, job=job)
            drawn.run.send(Preview(index=drawn.index, step=step, content=content))

    def _image(self, pixels: Pixels, *, job: Job, index: int) -> ImageReady:
        """Make of pixels what is sent.

        Raises:
            ImageWithheld: Nobody may have it.
            JobFailed: It could not be looked at, or not be signed.
            InvalidRequest: What it says of itself does not fit into its format.
        """
        verdict = self.clearance.judge(pixels, job=job, index=index)
        is_blurred = verdict is not None and verdict.action == "blurred"
        content, provenance = encode_image(
            blurred(pixels) if is_blurred else pixels,
            job=job,
            index=index,
            origin=self._origin,
            verdict=verdict,
        )
        return ImageReady(
            index=index,
            content=self.clearance.sign(content, job=job),
            seed=job.seeds[index],
            provenance_json=provenance,
            format=job.written.format,
            is_altered=is_blurred,
        )

    def _count_rows(self, job: Job) -> None:
        self._metrics.tenants.count_row(job.identity.tenant)
        recipes = [recipe.release for recipe in job.recipes]
        for release in (*(worn.release for worn in job.worn), *recipes):
            self._metrics.rows.count(str(release.adapter), str(release.version))
        if not job.worn:
            self._metrics.rows.count("", "")


def finisher_for(
    settings: Settings, *, origin: Origin, classify: Classify | None, metrics: Metrics
) -> Finisher:
    """Return the finisher of a server; `classify` is its safety classifier.

    Raises:
        BadSettings: What pictures are signed with cannot be used, or not any more.
    """
    return Finisher(
        origin=origin,
        clearance=clearance_for(settings, classify=classify, metrics=metrics),
        backlog_max=settings.limits.finish_backlog_max,
        metrics=metrics,
    )
