# SPDX-License-Identifier: Apache-2.0
"""What comes back from generating: the events of a job's life, and the finished result.

`Collector` turns events into a `GenerateResult`; it knows nothing of the network.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabard.enums import ImageFormat
from tabard.errors import Internal, InvalidArgument
from tabard.notebook import pictures, sheet

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage


SUFFIXES: dict[ImageFormat, tuple[str, ...]] = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg"),
    "webp": (".webp",),
}
"""How the names of files end, the usual one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WornRecipe:
    """A recipe as one job wears it, its weight in the request, and its controls there."""

    adapter: str
    version: str
    digest: str
    weight: float
    controls: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WornRelease:
    """A release as one job wears it: the ref as written, and what it was pinned to.

    A recipe is worn as its members: each names it in `recipe`, and has both weights multiplied.
    `is_canary`: it is the candidate of a canary, worn in place of what the channel points to.
    `controls`: where it acts otherwise than its weight, as behind a ref: `te=0.5:end=0.6`.
    """

    ref: str
    adapter: str
    version: str
    digest: str
    weight: float
    recipe: WornRecipe | None = None
    is_canary: bool = False
    controls: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingWarning:
    """One thing of a request that a release was not made for, or the base does not read in full.

    It is drawn all the same.

    Attributes:
        release: `namespace/name@version`; empty where it is the base.
        field: The field of the request.
        message: What is drawn, and what the release was made for.
    """

    release: str
    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The job is admitted: its stack and seeds are pinned to the last step.

    Attributes:
        job_id: The server's id of the job.
        worn: The stack in order of the request.
        seeds: One per image.
        registry_seq: Log position the refs were resolved at.
        queue_depth: Rows ahead of this job.
        trace_id: Id of the trace that tells where its time went; empty where none is kept.
        warnings: What of the request the worn releases were not made for.
        base_fingerprint: The base it is drawn on; empty: an older server did not say.
    """

    job_id: str
    worn: tuple[WornRelease, ...]
    seeds: tuple[int, ...]
    registry_seq: int
    queue_depth: int
    trace_id: str = ""
    warnings: tuple[SamplingWarning, ...] = ()
    base_fingerprint: str = ""

    def draws_as(self, other: Accepted) -> bool:
        """Say whether the same is drawn as in another run: seeds, releases and base."""

        def drawn(one: Accepted) -> tuple[object, ...]:
            worn = tuple((w.digest, w.weight, w.controls) for w in one.worn)
            return one.seeds, worn, one.base_fingerprint

        return drawn(self) == drawn(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Image `index` has done `step` of `steps` denoise steps."""

    index: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A rough look at unfinished image `index` after `step` steps, as a file."""

    index: int
    step: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedImage:
    """A finished image; also the event that delivers it.

    Attributes:
        index: Which image of the job.
        seed: Its seed.
        content: The file, with the provenance in it.
        provenance_json: The same provenance as JSON text.
        format: How it is written: `png`, `jpeg` or `webp`.
    """

    index: int
    seed: int
    content: bytes = field(repr=False)
    provenance_json: str = field(repr=False)
    format: ImageFormat = "png"

    @property
    def provenance(self) -> dict[str, Any]:
        """How the image came to be: digests, weights, seed, sampler, versions, …."""
        document: dict[str, Any] = json.loads(self.provenance_json or "{}")
        return document

    @property
    def pil(self) -> PillowImage:
        """The image as a loaded Pillow image."""
        from PIL import Image  # noqa: PLC0415 - Pillow is loaded only by those who ask for it

        with Image.open(io.BytesIO(self.content)) as image:
            image.load()
            return image

    def save(self, path: str | Path) -> Path:
        """Write the file as the server made it, provenance included; give the path back.

        Makes the folder, too.

        Raises:
            InvalidArgument: `path` does not end as a file of its format does.
        """
        target = Path(path)
        if target.suffix.lower() not in SUFFIXES[self.format]:
            raise InvalidArgument(
                f"'{target}' is not the name of a {self.format}",
                reason="NOT_A_PICTURE_PATH",
                hint=f"save as {SUFFIXES[self.format][0]}, or ask for another image_format; "
                "image.pil.save(…) keeps no provenance",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.content)
        return target

    def _repr_mimebundle_(self, **_wanted: Any) -> dict[str, bytes]:
        """Show itself in a notebook."""
        return {f"image/{self.format}": self.content}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The job is over: milliseconds from admission to the first step and to the last image."""

    queue_ms: float
    total_ms: float


GenerateEvent = Accepted | Progress | Preview | GeneratedImage | Done


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateResult:
    """Everything one job left.

    Attributes:
        images: The images in order of their index.
        job_id: The server's id of the job.
        worn: What every image wears, pinned.
        registry_seq: Log position the refs were resolved at.
        queue_ms: Milliseconds from admission to the first step.
        total_ms: Milliseconds from admission to the last image.
        trace_id: Id of the trace that tells where its time went; empty where none is kept.
        attempts: How often the request was sent: again after each refusal that asked for it, and
            after each broken connection.
        warnings: What of the request the worn releases were not made for.
    """

    images: tuple[GeneratedImage, ...]
    job_id: str
    worn: tuple[WornRelease, ...]
    registry_seq: int
    queue_ms: float
    total_ms: float
    trace_id: str = ""
    attempts: int = 1
    warnings: tuple[SamplingWarning, ...] = ()

    def _repr_html_(self) -> str:
        """Show all images in a notebook, with their seeds and what they wear."""
        worn = ", ".join(f"{one.adapter}@{one.version}:{one.weight:g}" for one in self.worn)
        return pictures(
            ((image.content, f"seed {image.seed}") for image in self.images),
            caption=f"wears {worn or 'nothing'}; {self.total_ms / 1000:.1f} s",
        )

    def _repr_png_(self) -> bytes:
        """Show all images where no HTML is shown, as in a console or a PDF of a notebook."""
        return sheet([image.content for image in self.images])


class Collector:
    """Gathers the events of one job and tells a callback how far each image is.

    The callback hears of every image's last step exactly once, also when the server dropped
    progress for it.
    """

    def __init__(self, on_progress: Callable[[Progress], None] | None = None) -> None:
        self._on_progress = on_progress
        self._accepted: Accepted | None = None
        self._done: Done | None = None
        self._images: dict[int, GeneratedImage] = {}
        self._steps = 1
        self._told: set[int] = set()

    def feed(self, event: GenerateEvent) -> None:
        """Take the next event of the job."""
        match event:
            case Accepted():
                # A second one is of another run: the server has lost the first.
                before, self._accepted = self._accepted, event
                if before is not None and not event.draws_as(before):
                    self._images.clear()
                    self._told.clear()
            case Progress():
                self._steps = event.steps
                self._tell(event)
            case GeneratedImage():
                self._images[event.index] = event
                self._tell(Progress(index=event.index, step=self._steps, steps=self._steps))
            case Done():
                self._done = event
            case Preview():
                pass

    def result(self, *, attempts: int = 1) -> GenerateResult:
        """Give the finished result; `attempts` is how often it was asked for.

        Raises:
            Internal: The stream ended before the job was done.
        """
        if self._accepted is None or self._done is None:
            raise Internal(
                "the stream ended before the job was done",
                reason="STREAM_INCOMPLETE",
                hint="retry; if it happens again, look at the server's log",
            )
        return GenerateResult(
            images=tuple(self._images[index] for index in sorted(self._images)),
            job_id=self._accepted.job_id,
            worn=self._accepted.worn,
            registry_seq=self._accepted.registry_seq,
            queue_ms=self._done.queue_ms,
            total_ms=self._done.total_ms,
            trace_id=self._accepted.trace_id,
            attempts=attempts,
            warnings=self._accepted.warnings,
        )

    def _tell(self, progress: Progress) -> None:
        if self._on_progress is None or progress.index in self._told:
            return
        if progress.step == progress.steps:
            self._told.add(progress.index)
        self._on_progress(progress)
