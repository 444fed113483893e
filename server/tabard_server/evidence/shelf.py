# SPDX-License-Identifier: Apache-2.0
"""Documents about releases and their pictures, as far as somebody may know of them.

In: refs, and what somebody may do. Out: notes of the log, bytes of the store. A picture is given
only as part of a document about a release. Blocks while it reads.
"""

import re
from dataclasses import dataclass

from tabard_registry import AdapterRef, NotFound, Registry, Release
from tabard_registry.evidence.codec import DOCUMENT_BYTES_MAX
from tabard_registry.evidence.documents import (
    Document,
    FiledReview,
    Previews,
    References,
    read_kept,
)
from tabard_registry.evidence.report import Report
from tabard_registry.identity.roles import Grants
from tabard_registry.refs.digest import Digest
from tabard_registry.release.health import EvidenceNote
from tabard_registry.state.sight import seen_by

_DIGITS = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")
_SHOWN_CHARS_MAX = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A document about a release.

    Attributes:
        release: The release.
        note: What the log says of the document.
        content: The document's bytes.
    """

    release: Release
    note: EvidenceNote
    content: bytes

    @property
    def document(self) -> Document:
        """What it says.

        Raises:
            CorruptRegistry: It cannot be read.
        """
        return read_kept(self.content, digest=self.note.document)


class Shelf:
    """Where the evidence of a registry is read. Thread-safe."""

    def __init__(self, registry: Registry, *, picture_bytes_max: int) -> None:
        """Take the registry, and the most bytes of a picture that is given out."""
        self._registry = registry
        self._picture_bytes_max = picture_bytes_max

    def notes(self, ref: AdapterRef, *, grants: Grants, kind: str = "") -> tuple[EvidenceNote, ...]:
        """Return what the log says of the documents about a release, newest first.

        Raises:
            NotFound: There is no such release.
        """
        found = self._find(ref, grants=grants).health.evidence
        return tuple(one for one in reversed(found) if kind in ("", one.kind))

    def document(
        self, ref: AdapterRef, *, grants: Grants, digest: str = "", kind: str = "report"
    ) -> Filed:
        """Return a document about a release, by the first digits of its digest or the newest.

        Raises:
            NotFound: There is no such release, or no such document about it.
            CorruptRegistry: Its bytes are others.
        """
        release = self._find(ref, grants=grants)
        note = _meant(release, digest) if digest else release.health.newest(kind)
        if note is None:
            what = f"evidence {digest[:_SHOWN_CHARS_MAX]!r}" if digest else f"{kind}"
            raise _missing(f"there is no {what} on {release}", ref=ref)
        content = self._registry.blobs.read(note.document, bytes_max=DOCUMENT_BYTES_MAX)
        return Filed(release=release, note=note, content=content)

    def picture(self, ref: AdapterRef, *, evidence: str, digest: Digest, grants: Grants) -> bytes:
        """Return a picture that a document about a release lists.

        Raises:
            NotFound: There is no such release, no such document, or it lists no such picture.
            PreconditionFailed: The release was purged, and its pictures with it.
            CorruptRegistry: Its bytes are others.
        """
        seen_by(self._registry.state, grants).find_kept(ref)
        filed = self.document(ref, digest=evidence, grants=grants)
        if digest not in pictures_of(filed.document):
            raise _missing(
                f"the {filed.note.kind} {filed.note.document.short} lists no {digest.short}",
                ref=ref,
            )
        return self._registry.blobs.read(digest, bytes_max=self._picture_bytes_max)

    def _find(self, ref: AdapterRef, *, grants: Grants) -> Release:
        return seen_by(self._registry.state, grants).find(ref)


def pictures_of(document: Document) -> tuple[Digest, ...]:
    """Return the pictures that a document lists, each once."""
    match document:
        case Report() | References() | Previews() | FiledReview():
            return tuple(dict.fromkeys(document.pictures))
        case _:
            return ()


def _meant(release: Release, digest: str) -> EvidenceNote | None:
    """Return the one document whose digest begins so."""
    digits = _DIGITS.fullmatch(digest.strip().lower())
    if digits is None:
        return None
    found = [one for one in release.health.evidence if one.document.hex.startswith(digits[1])]
    return found[0] if len(found) == 1 else None


def _missing(message: str, *, ref: AdapterRef) -> NotFound:
    return NotFound(
        message,
        reason="EVIDENCE_NOT_FOUND",
        hint=f"`tabard evidence list {ref}` lists what there is; name it by 12 digits or more.",
    )
