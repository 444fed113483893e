# SPDX-License-Identifier: Apache-2.0
"""The verb that keeps pictures beside a release: what it shall look like, or was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tabard.calls.call import Caller
from tabard.calls.health.evidence import read_note
from tabard.calls.uploads import UPLOAD_TIMEOUT_SECONDS, Upload
from tabard.convert import same_fields
from tabard.health.evidence import PublishedReferences
from tabard.pictures.folders import picture_sources
from tabard.pictures.sources import PictureSource, read_picture
from tabard.v1 import evidence_service_pb2 as pb

OnPicture = Callable[[int, int], None]
"""Told how many of how many pictures are sent."""


def publish_references(
    caller: Caller,
    ref: str,
    pictures: str | Path | Sequence[PictureSource],
    *,
    training: bool = False,
    embeddings_only: bool = False,
    reason: str = "",
    on_progress: OnPicture | None = None,
    timeout_seconds: float = UPLOAD_TIMEOUT_SECONDS,
) -> Upload[PublishedReferences]:
    """Keep pictures beside a release: what it shall look like, or what it was trained on.

    They stand for its successors, too, until others are published. They are kept as PNGs without
    metadata, no side longer than 512 pixels; whoever may generate with the release may see them.

    Args:
        caller: Filled in by the client.
        ref: The release.
        pictures: A folder of pictures, or pictures, 4 different ones at least. Contact sheets that
            Tabard drew into a folder are left out.
        training: Whether it was trained on them.
        embeddings_only: Keep what the server's encoders say of them, and no picture.
        reason: Why, for the record.
        on_progress: Told as pictures are sent.
        timeout_seconds: Deadline of the whole upload.

    Raises:
        InvalidArgument: A picture cannot be read (PICTURE_UNREADABLE), or there are too few or too
            many.
        NotFound: No such release.
        FailedPrecondition: It was purged.
    """
    sources = picture_sources(pictures, name="pictures")
    header = pb.ReferencesHeader(
        ref=ref,
        kind=pb.EVIDENCE_KIND_TRAINING if training else pb.EVIDENCE_KIND_REFERENCES,
        embeddings_only=embeddings_only,
        actor=caller.actor,
        reason=reason,
        request_id=caller.new_id(),
    )
    return Upload(
        requests=lambda: _parts(header, sources, on_progress),
        request_type=pb.PublishReferencesRequest,
        read=lambda answer: same_fields(PublishedReferences, answer, note=read_note(answer.note)),
        timeout_seconds=timeout_seconds,
    )


def _parts(
    header: pb.ReferencesHeader,
    sources: Sequence[tuple[str, PictureSource]],
    on_progress: OnPicture | None,
) -> Iterator[pb.PublishReferencesRequest]:
    yield pb.PublishReferencesRequest(header=header)
    for count, (name, source) in enumerate(sources, start=1):
        content = read_picture(source, name="pictures")
        picture = pb.ReferencePicture(name=name, content=content)
        yield pb.PublishReferencesRequest(picture=picture)
        if on_progress is not None:
            on_progress(count, len(sources))
