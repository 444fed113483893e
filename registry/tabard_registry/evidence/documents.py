# SPDX-License-Identifier: Apache-2.0
"""Documents of evidence: their canonical bytes, their digest, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tabard_registry.errors import RESTORE_BLOB, CorruptRegistry, InvalidField
from tabard_registry.evidence.codec import parse_json, read, refused, write
from tabard_registry.evidence.grid import Grid
from tabard_registry.evidence.report import Against, Picture, Report, Subject
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.release.manifest import canonical_json

REFERENCES_MIN = 4
"""Fewest references: with fewer, nothing can be said of how they vary among themselves."""

PAGE_BYTES_MAX = 4 << 20
"""Largest page of a review that is filed."""

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Embeddings of pictures that are not kept: float32 rows, of one encoder."""

    encoder: Digest
    blob: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Pictures that show what a release shall look like, or what it was trained on.

    Attributes:
        kind: `references`, or `training` for what it was trained on.
        release: The release beside which they lie; they stand for its successors.
        pictures: PNGs by digest.
        embeddings: What is kept instead of pictures, or beside them.

    Raises:
        InvalidField: There are fewer than four references (REFERENCES_TOO_FEW).
    """

    kind: Literal["references", "training"]
    release: Subject
    pictures: tuple[Digest, ...] = ()
    embeddings: tuple[Embedding, ...] = ()

    def __post_init__(self) -> None:
        if not self.embeddings and len(set(self.pictures)) < REFERENCES_MIN:
            raise InvalidField(
                f"{len(set(self.pictures))} different pictures",
                reason="REFERENCES_TOO_FEW",
                hint=f"Give at least {REFERENCES_MIN} different ones.",
            )

    @property
    def blobs(self) -> tuple[Digest, ...]:
        """What it needs besides itself."""
        return (*self.pictures, *(one.blob for one in self.embeddings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Previews:
    """A few pictures of a release, kept beside it.

    Attributes:
        release: The release.
        cells: Its pictures.
        grid: Digest of the grid document that their prompts are of.
    """

    kind: ClassVar[str] = "previews"
    release: Subject
    cells: tuple[Picture, ...]
    grid: Digest | None = None

    def __post_init__(self) -> None:
        if not self.cells:
            raise refused("previews.cells", "is empty")

    @property
    def blobs(self) -> tuple[Digest, ...]:
        """What it needs besides itself: its pictures, and the grid."""
        return (*self.pictures, *([self.grid] if self.grid else []))

    @property
    def pictures(self) -> tuple[Digest, ...]:
        """Its pictures, each once."""
        return tuple(dict.fromkeys(cell.image for cell in self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledReview:
    """A review as it stood when somebody filed it: a page, and the pictures that it shows.

    Attributes:
        release: The release.
        report: Digest of the report that the page shows.
        page: Digest of the page: HTML that finds each picture beside itself, by its digest.
        against: What the report compares with.
        pictures: The pictures, all of them pictures of the report.
    """

    kind: ClassVar[str] = "review"
    release: Subject
    report: Digest
    page: Digest
    against: Against | None = None
    pictures: tuple[Digest, ...] = ()

    @property
    def blobs(self) -> tuple[Digest, ...]:
        """What it needs besides itself: the page, and its pictures."""
        return (self.page, *self.pictures)


Evidence = References | Report | Previews | FiledReview
"""A document about one release."""
Document = Evidence | Grid
"""Any document."""

_KINDS: dict[str, type[Document]] = {
    "grid": Grid,
    "report": Report,
    "references": References,
    "training": References,
    "previews": Previews,
    "review": FiledReview,
}


def to_bytes(document: Document) -> bytes:
    """Write the canonical bytes, whose sha256 is the document's digest."""
    return canonical_json({"v": _VERSION, "kind": document.kind, **write(document)})


def digest_of(document: Document) -> Digest:
    """Return the digest of a document."""
    return sha256_bytes(to_bytes(document))


def read_document(content: bytes) -> Document:
    """Read a document that somebody wrote, however it is laid out.

    Raises:
        InvalidField: It is none; the message names the field.
    """
    return document_from_json(parse_json(content))


def document_from_json(found: Any) -> Document:
    """Read a document from a parsed JSON value.

    Raises:
        InvalidField: It is none; the message names the field.
    """
    if not isinstance(found, dict):
        raise refused("the document", "is no object")
    said = dict(found)
    version, kind = said.pop("v", None), said.pop("kind", None)
    if version is None:
        raise refused("v", f'is missing: write "v": {_VERSION} and a "kind"')
    if type(version) is not int or version != _VERSION:
        raise refused("v", f"is not {_VERSION}: the document is of another version of Tabard")
    shape = _KINDS.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise refused("kind", f"is none of: {', '.join(_KINDS)}")
    if shape is References:
        said["kind"] = kind
    document: Document = read(shape, said, path=str(kind))
    return document


def read_kept(content: bytes, *, digest: Digest) -> Document:
    """Read a document that lies in a registry.

    Raises:
        CorruptRegistry: It cannot be read.
    """
    try:
        return read_document(content)
    except InvalidField as error:
        raise CorruptRegistry(
            f"the document {digest.short} cannot be read: {error}",
            reason="CORRUPT_BLOB",
            hint=f"A newer Tabard may have written it: upgrade. {RESTORE_BLOB}",
        ) from error
