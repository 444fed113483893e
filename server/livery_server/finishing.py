# SPDX-License-Identifier: Apache-2.0
"""From pixels to PNG, beside the engine's thread: encoding and provenance in worker threads.

In: decoded images and previews, through one bounded queue. Out: events in the job's outbox. When
the queue is full the engine waits for images, and previews are dropped.
"""

import queue
import threading
from dataclasses import dataclass

from livery_server.engine_port import Pixels
from livery_server.errors import JobFailed
from livery_server.job import ImageReady, Preview
from livery_server.log import log_problem
from livery_server.metrics import Metrics
from livery_server.provenance import Origin, encode_image, encode_preview
from livery_server.run import JobRun

_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    run: JobRun
    index: int
    pixels: Pixels
    preview_step: int | None


class Finisher:
    """Encodes what the engine draws. Start it once, stop it after the engine's thread."""

    def __init__(self, *, origin: Origin, backlog_max: int, metrics: Metrics) -> None:
        self._origin = origin
        self._metrics = metrics
        self._queue: queue.Queue[_Picture | None] = queue.Queue(maxsize=backlog_max)
        self._threads = [
            threading.Thread(target=self._work, name=f"livery-finisher-{number}", daemon=True)
            for number in range(_THREADS)
        ]

    def start(self) -> None:
        """Start the worker threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end the threads."""
        for _thread in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def finish(self, run: JobRun, *, index: int, pixels: Pixels) -> None:
        """Queue a finished image; waits while the queue is full."""
        self._queue.put(_Picture(run=run, index=index, pixels=pixels, preview_step=None))

    def show(self, run: JobRun, *, index: int, step: int, pixels: Pixels) -> None:
        """Queue a preview, or drop it when the queue is full."""
        picture = _Picture(run=run, index=index, pixels=pixels, preview_step=step)
        try:
            self._queue.put_nowait(picture)
        except queue.Full:
            return

    def _work(self) -> None:
        while (picture := self._queue.get()) is not None:
            if picture.run.is_ended:
                continue
            try:
                self._encode(picture)
            except Exception as error:
                log_problem("image.encoding_failed", error=error, job=picture.run.job.id)
                picture.run.fail(
                    JobFailed("the image could not be written as PNG", reason="ENCODING_FAILED")
                )

    def _encode(self, picture: _Picture) -> None:
        run, index = picture.run, picture.index
        if picture.preview_step is not None:
            png = encode_preview(picture.pixels)
            run.send(Preview(index=index, step=picture.preview_step, png=png))
            return
        png, provenance = encode_image(
            picture.pixels, job=run.job, index=index, origin=self._origin
        )
        self._metrics.images.inc()
        recipes = [recipe.release for recipe in run.job.recipes]
        for release in (*(worn.release for worn in run.job.worn), *recipes):
            self._metrics.rows.labels(
                adapter=str(release.adapter), version=str(release.version)
            ).inc()
        if not run.job.worn:
            self._metrics.rows.labels(adapter="", version="").inc()
        run.deliver(
            ImageReady(index=index, png=png, seed=run.job.seeds[index], provenance_json=provenance)
        )
