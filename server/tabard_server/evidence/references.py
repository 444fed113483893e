# SPDX-License-Identifier: Apache-2.0
"""Pictures that are published beside a release: gathered, read, and kept as PNGs or as embeddings.

In: files of strangers, one after another. Out: a document beside the release. What is kept of a
picture is what is judged by: no metadata, and no side longer than encoders look.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from tabard_registry import AdapterRef, Author, Registry
from tabard_registry.acts import Evidenced
from tabard_registry.evidence.documents import REFERENCES_MIN, Embedding, References
from tabard_registry.evidence.report import Subject
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.release.release import Release
from tabard_registry.state.sight import seen_by
from tabard_server.admission.picture_files import open_picture
from tabard_server.errors import InvalidRequest, invalid
from tabard_server.evaluation.looks import Encoders, pixels_of
from tabard_server.evaluation.published import embeddings_of
from tabard_server.evaluation.references import SIDE_MAX
from tabard_server.limits import Limits

KINDS = ("references", "training")
"""What pictures beside a release may be."""

_NAME_CHARS_SHOWN = 80
_UNREADABLE = "IMAGE_NOT_READABLE"

Embedded = Sequence[tuple[Digest, bytes]]
"""Digests of encoders, each with its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencesWish:
    """What somebody wants to keep beside a release.

    Attributes:
        ref: The release.
        kind: One of `KINDS`.
        embeddings_only: Whether no picture is kept.
        author: Who, and why.
    """

    ref: AdapterRef
    kind: str
    embeddings_only: bool
    author: Author


class ReferenceFiles:
    """Pictures as they come, each once. Not thread-safe."""

    def __init__(self, *, limits: Limits) -> None:
        """Take the bounds: how many, and of one picture."""
        self._limits = limits
        self._pngs: dict[Digest, bytes] = {}
        self._count = 0

    @property
    def pngs(self) -> tuple[bytes, ...]:
        """The pictures so far, as they are kept."""
        return tuple(self._pngs.values())

    def add(self, content: bytes, *, name: str) -> None:
        """Take the next picture. Blocks while it is decoded.

        Raises:
            InvalidRequest: It cannot be read (PICTURE_UNREADABLE), or there are too many.
        """
        most = self._limits.evaluation_pictures_max
        if self._count >= most:
            raise invalid(
                "picture",
                f"more than {most} pictures",
                reason="REFERENCES_TOO_MANY",
                hint="publish fewer (limits.evaluation_pictures_max)",
            )
        png = self._as_png(content, shown=ascii(name[:_NAME_CHARS_SHOWN] or f"{self._count}"))
        self._count += 1
        self._pngs[sha256_bytes(png)] = png

    def refuse_too_few(self) -> None:
        """Refuse what says nothing of how pictures vary among themselves.

        Raises:
            InvalidRequest: There are fewer than four different ones.
        """
        if len(self._pngs) < REFERENCES_MIN:
            raise invalid(
                "picture",
                f"{len(self._pngs)} different pictures, at least {REFERENCES_MIN}",
                reason="REFERENCES_TOO_FEW",
                hint=f"publish {REFERENCES_MIN} or more: with fewer nothing is known of how they "
                "vary",
            )

    def _as_png(self, content: bytes, *, shown: str) -> bytes:
        field = f"picture[{self._count}]"
        try:
            image = open_picture(content, field=shown, limits=self._limits).convert("RGB")
        except InvalidRequest as error:
            is_unreadable = error.reason == _UNREADABLE
            raise invalid(
                field,
                str(error),
                reason="PICTURE_UNREADABLE" if is_unreadable else error.reason,
                hint=error.hint,
            ) from error
        return _png(image)


class ReferenceBook:
    """Keeps pictures beside the releases of one registry. Thread-safe; blocks."""

    def __init__(self, registry: Registry, *, encoders: Encoders) -> None:
        """Take the registry, and what looks at pictures of which only embeddings are kept."""
        self._registry = registry
        self._encoders = encoders

    def check(self, wish: ReferencesWish) -> None:
        """Refuse a wish before anything is sent for it.

        Raises:
            NotFound: There is no such release.
            PreconditionFailed: It was purged, or the namespace asks who publishes.
            Forbidden: They may not.
        """
        release = self._release(wish)
        self._registry.evidence.check_author(release.adapter, author=wish.author)

    def embedded(self, wish: ReferencesWish, files: ReferenceFiles) -> Embedded:
        """Return what is kept instead of pictures; nothing where they are kept themselves."""
        if not wish.embeddings_only:
            return ()
        pictures = [pixels_of(png) for png in files.pngs]
        return embeddings_of(wish.kind, pictures, encoders=self._encoders)

    def put(self, wish: ReferencesWish, files: ReferenceFiles, *, embedded: Embedded) -> Evidenced:
        """Keep them, and announce the document; the same again changes nothing. Raises as `check`.

        Args:
            wish: What they are about.
            files: The pictures.
            embedded: What is kept instead of them.
        """
        release = self._release(wish)
        document = References(
            kind="training" if wish.kind == "training" else "references",
            release=Subject(
                adapter=release.adapter,
                version=release.version,
                digest=release.digest,
                kind=release.kind,
                purpose=release.purpose,
            ),
            pictures=() if embedded else tuple(map(sha256_bytes, files.pngs)),
            embeddings=tuple(
                Embedding(encoder=encoder, blob=sha256_bytes(rows)) for encoder, rows in embedded
            ),
        )
        blobs = [rows for _encoder, rows in embedded] or files.pngs
        return self._registry.evidence.put(document, author=wish.author, blobs=blobs)

    def _release(self, wish: ReferencesWish) -> Release:
        return seen_by(self._registry.state, wish.author.grants).find_kept(wish.ref)


def _png(image: Image.Image) -> bytes:
    """Write a picture without its metadata, and no larger than anybody looks."""
    image.thumbnail((SIDE_MAX, SIDE_MAX))
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    file = io.BytesIO()
    bare.save(file, format="PNG", compress_level=6)
    return file.getvalue()
