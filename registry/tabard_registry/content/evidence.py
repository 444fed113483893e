# SPDX-License-Identifier: Apache-2.0
"""The evidence of a registry: documents with their blobs, stored first and announced afterwards.

Nothing is announced whose bytes are not there. What a crash leaves between is garbage.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from tabard_registry import acts
from tabard_registry.acts import Act, Acted, Author, Evidenced
from tabard_registry.acts.evidence import find_grid
from tabard_registry.content.blobs import Blobs
from tabard_registry.content.storing import Commit, commit_stored
from tabard_registry.errors import CorruptRegistry, InvalidField, NotFound
from tabard_registry.evidence.codec import DOCUMENT_BYTES_MAX
from tabard_registry.evidence.documents import (
    PAGE_BYTES_MAX,
    Document,
    Evidence,
    FiledReview,
    Previews,
    read_kept,
    to_bytes,
)
from tabard_registry.evidence.editing import edited, refuse_measured
from tabard_registry.evidence.grid import Grid
from tabard_registry.evidence.report import Report
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.refs.names import AdapterName, AdapterRef
from tabard_registry.release.health import NO_LABELS, EvidenceNote, GridNote, Labels
from tabard_registry.release.release import Release
from tabard_registry.state.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A document with what the log says of it."""

    note: EvidenceNote
    document: Evidence


class EvidenceBook:
    """Evidence of one registry. Thread-safe."""

    def __init__(self, blobs: Blobs, *, state: Callable[[], State], commit: Commit) -> None:
        """Take where bytes lie, the newest snapshot, and what commits."""
        self._blobs = blobs
        self._state = state
        self._commit = commit

    def put(self, document: Evidence, *, author: Author, blobs: Iterable[bytes] = ()) -> Evidenced:
        """Store a document with its blobs, then announce it; the same again changes nothing.

        Args:
            document: The document.
            author: Who, and why.
            blobs: Bytes of what it lists that may not be there yet: pictures, the grid's document.

        Raises:
            NotFound: There is no such release, a blob that it lists is neither given nor there, or
                what is edited or filed lists what no evidence of the release shows.
            PreconditionFailed: The release was purged, or an edit changes what was measured.
            InvalidField: The page of a review is too large.
        """
        given = list(blobs)
        if isinstance(document, Report) and document.edited_from is not None:
            original = self.report(document.edited_from)
            refuse_measured(original, replace(document, edited_from=original.edited_from))
            self._refuse_foreign(document, shown_there=original)
        if isinstance(document, FiledReview):
            self._refuse_unfounded(document, given)

        def store(state: State) -> Act[Evidenced]:
            self._store(document, given)
            return acts.announce(document, gc_seq=state.gc_seq)

        return commit_stored(store, state=self._state, commit=self._commit, author=author)

    def check_author(self, adapter: AdapterName, *, author: Author) -> None:
        """Refuse who may not put evidence beside the releases of a line, before it is made.

        Raises:
            Forbidden: They have neither the role `publish` nor `review` (ROLE_MISSING).
            PreconditionFailed: The namespace wants authors who have shown who they are.
        """
        act = Action(type="evidence", adapter=str(adapter), proof=author.proof, actor=author.actor)
        acts.check_permitted(self._state(), act, grants=author.grants)

    def edit(
        self, ref: AdapterRef, *, original: Digest, wanted: Report, author: Author
    ) -> Evidenced:
        """Announce an edit of a report: people's fields of `wanted`, and who checked what.

        Raises:
            NotFound: The original is no report on the release.
            PreconditionFailed: It changes what was measured (EDIT_OF_MEASUREMENT), or there is a
                newer report than the original (EDIT_OUTDATED).
        """
        note = self._state().find(ref).health.note_of(original)
        if note is None or note.kind != "report":
            raise _no_evidence(f"no report {original.short} on {ref}", ref=ref)
        before = self.report(original)
        new = edited(before, wanted, digest=original, by=author.actor)
        return self.put(new, author=author)

    def of(self, ref: AdapterRef, *, kind: str = "") -> tuple[Kept, ...]:
        """Return the documents about a release, oldest first; of one kind, or all.

        Raises:
            NotFound: There is no such release, or a document is missing.
            CorruptRegistry: A document cannot be read.
        """
        notes = self._state().find(ref).health.evidence
        return tuple(map(self._kept, (one for one in notes if kind in ("", one.kind))))

    def newest(self, ref: AdapterRef, *, kind: str) -> Kept | None:
        """Return the newest document of a kind about a release. Raises as `of`."""
        note = self._state().find(ref).health.newest(kind)
        return self._kept(note) if note else None

    def document(self, digest: Digest) -> Document:
        """Return a document by its digest, verified.

        Raises:
            NotFound: There is none.
            CorruptRegistry: It cannot be read.
        """
        return document_in(self._blobs, digest)

    def report(self, digest: Digest) -> Report:
        """Return a report by its digest. Raises as `document`."""
        found = self.document(digest)
        if not isinstance(found, Report):
            raise NotFound(
                f"{digest.short} is no report",
                reason="EVIDENCE_NOT_FOUND",
                hint="`tabard evidence list REF` lists them.",
            )
        return found

    def put_grid(self, grid: Grid, *, place: str, author: Author) -> Acted[GridNote]:
        """Give a namespace or a release line a grid; a newer one of its name replaces it."""

        def store(state: State) -> Act[Acted[GridNote]]:
            self._blobs.put_bytes(to_bytes(grid))
            return acts.announce_grid(grid, place=place, gc_seq=state.gc_seq)

        return commit_stored(store, state=self._state, commit=self._commit, author=author)

    def grid(self, adapter: AdapterName, *, name: str) -> Grid | None:
        """Return the grid that a release line means by a name: its own, else its namespace's."""
        note = find_grid(self._state(), adapter, name=name)
        found = self.document(note.document) if note else None
        return found if isinstance(found, Grid) else None

    def review(
        self, ref: AdapterRef, *, decision: str, evidence: Digest | None, author: Author
    ) -> Acted[Release]:
        """Approve of a release or reject it: `acts.review`."""
        act = acts.review(ref, decision=decision, evidence=evidence, author=author)
        return self._commit(act, author=author)

    def vote(
        self,
        ref: AdapterRef,
        *,
        pair: str,
        choice: str,
        evidence: Digest,
        author: Author,
        labels: Labels = NO_LABELS,
    ) -> Acted[Release]:
        """Say which picture of a blind pair is the better one: `acts.vote`."""
        act = acts.vote(
            ref, pair=pair, choice=choice, evidence=evidence, author=author, labels=labels
        )
        return self._commit(act, author=author)

    def delete_pictures(self, release: Release) -> None:
        """Delete what the evidence of a purged release shows, unless another release's does too.

        Idempotent. The documents stay.

        Raises:
            StoreUnavailable: Some may be left; trying again is safe.
        """
        gone = frozenset(self._shown([release]))
        if not gone:
            return
        state = self._state()
        lines = (state.adapters[name] for name in state.names())
        others = [one for line in lines for one in line.by_digest.values() if not one.purged]
        needed = itertools.chain(self._shown(others), *(one.blobs for one in others))
        for digest in gone.difference(needed):
            self._blobs.delete(digest)

    def _refuse_foreign(self, edit: Report, *, shown_there: Report) -> None:
        """Refuse an edit that lists what no evidence of its release shows.

        Whatever a document lists is given to those who see it, and goes when its release is purged.
        """
        line = self._state().adapter(edit.release.adapter)
        release = line.by_digest.get(edit.release.digest)
        known = {*shown_there.pictures, *self._shown([release] if release else [])}
        for digest in edit.pictures:
            if digest not in known:
                raise NotFound(
                    f"no evidence of the release shows {digest.short}",
                    reason="BLOB_NOT_FOUND",
                    hint="Publish it beside the release first: `tabard references publish`.",
                )

    def _refuse_unfounded(self, filed: FiledReview, given: Iterable[bytes]) -> None:
        """Refuse a review of what is no report on its release, or that lists anything else."""
        line = self._state().adapter(filed.release.adapter)
        release = line.by_digest.get(filed.release.digest)
        note = release.health.note_of(filed.report) if release else None
        if note is None or note.kind != "report":
            raise _no_evidence(f"{filed.report.short} is no report on the release", ref=None)
        report = self.report(filed.report)
        page = next((one for one in given if sha256_bytes(one) == filed.page), None)
        foreign = next((one for one in filed.pictures if one not in report.pictures), None)
        if page is None or foreign or filed.against != report.against:
            raise NotFound(
                f"the report {filed.report.short} shows no {(foreign or filed.page).short}",
                reason="BLOB_NOT_FOUND",
                hint="A review shows the pictures of its report, and its page is given with it.",
            )
        if len(page) > PAGE_BYTES_MAX:
            raise InvalidField(
                f"the page of a review of {len(page)} bytes",
                reason="FIELD_TOO_LONG",
                hint=f"A page has at most {PAGE_BYTES_MAX} bytes: shorten what the report says.",
            )

    def _shown(self, releases: Iterable[Release]) -> Iterator[Digest]:
        for release in releases:
            for note in release.health.evidence:
                try:
                    yield from shown_blobs(self.document(note.document))
                except (NotFound, CorruptRegistry):
                    # Whose document is lost keeps no picture from being purged.
                    continue

    def _store(self, document: Document, given: Iterable[bytes]) -> None:
        stored = {self._blobs.put_bytes(content) for content in given}
        for digest in document.blobs:
            if digest not in stored and not self._blobs.is_there(digest):
                raise NotFound(
                    f"the document lists {digest.short}, which is not there",
                    reason="BLOB_NOT_FOUND",
                    hint="Give its bytes with the document.",
                )
        self._blobs.put_bytes(to_bytes(document))

    def _kept(self, note: EvidenceNote) -> Kept:
        found = self.document(note.document)
        if isinstance(found, Grid):
            raise _no_evidence(f"{note.document.short} is a grid", ref=None)
        return Kept(note=note, document=found)


def document_in(blobs: Blobs, digest: Digest) -> Document:
    """Return a document by its digest, verified. Raises as `EvidenceBook.document`."""
    return read_kept(blobs.read(digest, bytes_max=DOCUMENT_BYTES_MAX), digest=digest)


def shown_blobs(document: Document) -> tuple[Digest, ...]:
    """Return what goes with a release that is purged: all blobs of its documents but the grid."""
    return document.pictures if isinstance(document, Report | Previews) else document.blobs


def _no_evidence(message: str, *, ref: AdapterRef | None) -> NotFound:
    return NotFound(
        message,
        reason="EVIDENCE_NOT_FOUND",
        hint=f"`tabard evidence list {ref or 'REF'}` lists what there is.",
    )
