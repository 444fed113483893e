# SPDX-License-Identifier: Apache-2.0
"""Which pictures the evidence of a registry shows, newest first: where a lookup searches.

In: states, as somebody sees them. Out: pictures, each with the document and the release that it is
of. A document is read once; how many are looked at is bounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from tabard_registry import AdapterName, Registry, Release, State
from tabard_registry.content.evidence import document_in
from tabard_registry.errors import CorruptRegistry, NotFound
from tabard_registry.evidence.documents import Document, Previews, References
from tabard_registry.evidence.report import Report
from tabard_registry.refs.digest import Digest
from tabard_registry.release.health import EvidenceNote
from tabard_registry.release.release import Adapter
from tabard_registry.state.overlay import Base
from tabard_server.evidence.recent import Recent

DOCUMENTS_MAX = 1_024
"""Documents that are looked into, the newest."""


class Shown(NamedTuple):
    """A picture of a document: whose it is, and of which prompt and seed, if it was drawn."""

    side: str
    image: Digest
    prompt: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A document about a release.

    Attributes:
        release: The release.
        note: What the log says of the document.
    """

    release: Release
    note: EvidenceNote


class Album:
    """The documents of one registry, and what they show. Thread-safe; blocks."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._shown: Recent[Digest, tuple[Shown, ...]] = Recent(DOCUMENTS_MAX)
        self._lock = Lock()
        self._base: Base | None = None
        self._names: set[AdapterName] = set()

    def pages(self, seen: State) -> tuple[list[Page], bool]:
        """Return the newest documents that somebody sees, and whether those are all."""
        self._follow(self._registry.state)
        found = sorted(
            self._pages(seen), key=lambda page: (page.note.told.seq, str(page.note.document))
        )
        return found[::-1][:DOCUMENTS_MAX], len(found) <= DOCUMENTS_MAX

    def is_known(self, page: Page) -> bool:
        """Say whether a document was read before."""
        return page.note.document in self._shown

    def shown(self, page: Page) -> tuple[Shown, ...]:
        """Return what a document shows; of one that is lost, nothing."""
        digest = page.note.document
        found = self._shown.get(digest)
        if found is None:
            found = self._read(digest)
            self._shown.put(digest, found)
        return found

    def _pages(self, seen: State) -> Iterator[Page]:
        with self._lock:
            names = tuple(self._names)
        for name in names:
            line = seen.adapters.get(name)
            for release in line.by_digest.values() if line else ():
                if not release.purged:
                    yield from (Page(release=release, note=n) for n in release.health.evidence)

    def _read(self, digest: Digest) -> tuple[Shown, ...]:
        try:
            return shown_by(document_in(self._registry.blobs, digest))
        except (NotFound, CorruptRegistry):
            # `tabard fsck` tells of it; the others are still searched.
            return ()

    def _follow(self, state: State) -> None:
        """Learn which lines have evidence: all of them once, then those that changed."""
        with self._lock:
            if state.adapters.base is not self._base:
                self._base = state.adapters.base
                self._names = {line.name for _, line in self._base.lines() if _has(line)}
            changed = state.adapters.changed.values()
            self._names.update(line.name for line in changed if _has(line))


def shown_by(document: Document) -> tuple[Shown, ...]:
    """Return the pictures of a document, whoever drew them."""
    match document:
        case Report():
            references = (one.reference for one in document.prompt_record if one.reference)
            return (
                *(Shown("candidate", c.image, c.prompt, c.seed) for c in document.candidates),
                *(Shown("against", c.image, c.prompt, c.seed) for c in document.baseline),
                *(Shown("reference", one) for one in references),
            )
        case References():
            side = "training" if document.kind == "training" else "reference"
            return tuple(Shown(side, one) for one in document.pictures)
        case Previews():
            return tuple(Shown("preview", c.image, c.prompt, c.seed) for c in document.cells)
        case _:
            return ()


def _has(line: Adapter) -> bool:
    return any(one.health.evidence for one in line.by_digest.values())
