# SPDX-License-Identifier: Apache-2.0
"""Announcing evidence and grids: documents that lie in the store already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tabard_registry.acts.act import Act, Acted, Landed, Plan, action_on
from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.documents import Evidence, FiledReview, digest_of
from tabard_registry.evidence.grid import Grid
from tabard_registry.evidence.report import Report
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, AdapterRef, ByVersion
from tabard_registry.release.health import EVIDENCE_MAX, EvidenceNote, GridNote, Told
from tabard_registry.release.release import Release
from tabard_registry.state.judging import GRIDS_MAX, place_of
from tabard_registry.state.state import State

_NOBODY = Told(seq=0, time="", actor="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidenced:
    """The answer to a document that was announced.

    Attributes:
        release: The release, as it is now.
        note: What the log says of the document.
        created: False when the same document was announced before, or a report on the same inputs.
    """

    release: Release
    note: EvidenceNote
    created: bool


def announce(document: Evidence, *, gc_seq: int) -> Act[Evidenced]:
    """Plan to announce a document about a release; the same again changes nothing.

    A draft that rests on the same inputs as a report before it is the same again.

    Args:
        document: The document; its bytes and blobs are stored.
        gc_seq: The newest collection that was known before they were stored.

    Its plan raises:
        NotFound: There is no such release of that digest.
        PreconditionFailed: The release was purged, has all the documents that it may have, the
            document is an edit of a report that is not the newest (EDIT_OUTDATED), or a collection
            began meanwhile (BYTES_COLLECTED).
    """
    subject, digest = document.release, digest_of(document)
    ref = AdapterRef(adapter=subject.adapter, selector=ByVersion(subject.version))
    summary = _note_of(document, digest=digest).to_summary()

    inputs = _draft_inputs(document)

    def note_in(release: Release) -> EvidenceNote | None:
        return release.health.report_on(inputs) or release.health.note_of(digest)

    def plan(state: State) -> Plan:
        release = state.find_kept(ref)
        if release.digest != subject.digest:
            raise _misfit(f"{release} is {release.digest.short}, not {subject.digest.short}")
        if note_in(release) is not None:
            return Plan(action=None)
        if len(release.health.evidence) >= EVIDENCE_MAX:
            raise _misfit(f"{release} has {EVIDENCE_MAX} documents already")
        _refuse_outdated(document, release)
        _refuse_collected(state, gc_seq=gc_seq)
        return Plan(action=replace(action_on("evidence", release), summary=summary))

    def is_same(found: Action) -> bool:
        wanted = ("evidence", str(subject.adapter), str(subject.digest))
        is_like = (found.type, found.adapter, found.digest) == wanted
        return is_like and found.summary.get("document") == str(digest)

    def answer(state: State, landed: Landed | None) -> Evidenced:
        release = state.find(ref)
        note = note_in(release)
        assert note is not None, "what was announced is there"
        return Evidenced(release=release, note=note, created=landed is not None)

    return Act(plan=plan, is_same=is_same, answer=answer)


def announce_grid(grid: Grid, *, place: str, gc_seq: int) -> Act[Acted[GridNote]]:
    """Plan to give a namespace or a release line a grid; a newer one of its name replaces it.

    Its plan raises:
        PreconditionFailed: There are too many, or a collection began meanwhile (BYTES_COLLECTED).
    """
    place, digest = place_of(place), digest_of(grid)
    summary = {"name": grid.name, "document": str(digest)}

    def plan(state: State) -> Plan:
        found = grid_note(state, place=place, name=grid.name)
        if found is not None and found.document == digest:
            return Plan(action=None)
        if len(state.grids.get(place, ())) >= GRIDS_MAX:
            raise _misfit(f"{place} has {GRIDS_MAX} grids already, with those that were replaced")
        _refuse_collected(state, gc_seq=gc_seq)
        return Plan(action=Action(type="grid", adapter=place, summary=summary))

    def answer(state: State, landed: Landed | None) -> Acted[GridNote]:
        found = grid_note(state, place=place, name=grid.name)
        assert found is not None, "what was announced is there"
        return Acted(subject=found, changed=landed is not None)

    return Act(plan=plan, is_same=_like("grid", place, summary), answer=answer)


def grid_note(state: State, *, place: str, name: str) -> GridNote | None:
    """Return the newest grid of a name in one place."""
    return next((one for one in reversed(state.grids.get(place, ())) if one.name == name), None)


def find_grid(state: State, adapter: AdapterName, *, name: str) -> GridNote | None:
    """Return the grid that a release line means by a name: its own, else its namespace's."""
    places = (str(adapter), adapter.namespace)
    found = (grid_note(state, place=place, name=name) for place in places)
    return next((one for one in found if one is not None), None)


def grid_names(state: State, adapter: AdapterName) -> frozenset[str]:
    """Return the names of all grids that a release line can mean."""
    places = (str(adapter), adapter.namespace)
    return frozenset(one.name for place in places for one in state.grids.get(place, ()))


def _note_of(document: Evidence, *, digest: Digest) -> EvidenceNote:
    if not isinstance(document, Report):
        # Whoever does not see the other release sees no review beside it either.
        against = document.against if isinstance(document, FiledReview) else None
        return EvidenceNote(
            kind=document.kind,
            document=digest,
            told=_NOBODY,
            against=against.digest if against else None,
        )
    looked_at = {n: one.state for n, one in document.checks.items() if one.state != "not_checked"}
    return EvidenceNote(
        kind=document.kind,
        document=digest,
        told=_NOBODY,
        verdict=document.verdict,
        checks=looked_at,
        against=document.against.digest if document.against else None,
        grid=document.grid,
        inputs=document.inputs,
        measurement=document.measurement,
    )


def _draft_inputs(document: Evidence) -> Digest | None:
    """Return what a draft rests on; an edit is about the same, and yet another document."""
    if not isinstance(document, Report) or document.edited_from is not None:
        return None
    return document.inputs


def _like(kind: str, adapter: str, summary: dict[str, str]) -> Callable[[Action], bool]:
    return lambda found: (found.type, found.adapter, found.summary) == (kind, adapter, summary)


def _refuse_outdated(document: Evidence, release: Release) -> None:
    """Refuse an edit that would take back what somebody wrote meanwhile."""
    newest = release.health.report
    if not isinstance(document, Report) or document.edited_from is None or newest is None:
        return
    if newest.document != document.edited_from:
        raise PreconditionFailed(
            f"{release} has a newer report than {document.edited_from.short}: "
            f"{newest.document.short}",
            reason="EDIT_OUTDATED",
            hint="Read that one, then edit it.",
        )


def _refuse_collected(state: State, *, gc_seq: int) -> None:
    if state.gc_seq != gc_seq:
        raise PreconditionFailed(
            "a collection began while the bytes were stored",
            reason="BYTES_COLLECTED",
            hint="Try again: what is missing is stored anew.",
        )


def _misfit(message: str) -> PreconditionFailed:
    return PreconditionFailed(
        message,
        reason="EXPECT_MISMATCH",
        hint="Look at the release with `tabard show`, then decide again.",
    )
