# SPDX-License-Identifier: Apache-2.0
"""What acts of judgement mean: evidence, grids, reviews, votes. Pure, and part of the protocol.

A record says itself what the fold needs: no document is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tabard_registry.log.records import Action, Effect, Record
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, check_channel
from tabard_registry.release.health import (
    CHOICES,
    DECISIONS,
    EVIDENCE_MAX,
    PAIR_CHARS_MAX,
    REVIEWS_MAX,
    VOTES_MAX,
    EvidenceNote,
    GridNote,
    Review,
    Vote,
    labels_from_json,
)
from tabard_registry.release.release import Release
from tabard_registry.state.canaries import told_in, with_vote
from tabard_registry.state.draft import DONE, Draft, Invalid, change, named_release, with_release

GRIDS_MAX = 256
"""Most grids, old ones too, of a namespace or a release line. Part of the protocol."""


def is_author(release: Release, *, actor: str, on_behalf_of: str = "") -> bool:
    """Say whether somebody published a release, or had it published, by any name that was said."""
    authors = {release.published_by, release.published_for} - {""}
    return not authors.isdisjoint({actor, on_behalf_of})


def place_of(text: str) -> str:
    """Read where a grid belongs: a namespace, or a release line.

    Raises:
        InvalidName: It is neither.
    """
    return str(AdapterName.parse(text)) if "/" in text else AdapterName(text, "any").namespace


def _evidence(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    note = EvidenceNote.from_summary(action.summary, told=told_in(record, action))
    if release.purged:
        raise Invalid(f"{release} was purged")
    if release.health.note_of(note.document) is not None:
        raise Invalid(f"{note.document.short} is evidence of {release} already")
    if len(release.health.evidence) >= EVIDENCE_MAX:
        raise Invalid(f"{release} has {EVIDENCE_MAX} documents")
    kept = (*release.health.evidence, note)
    return change(draft, line, replace(release, health=replace(release.health, evidence=kept)))


def _grid(draft: Draft, record: Record, action: Action) -> Effect:
    place, name = place_of(action.adapter), str(action.summary["name"])
    check_channel(name)
    note = GridNote(name=name, document=Digest.parse(action.summary["document"]), seq=record.seq)
    before = draft.grids.get(place, ())
    current = next((one for one in reversed(before) if one.name == name), None)
    if current is not None and current.document == note.document:
        raise Invalid(f"the grid {name} of {place} is so already")
    if len(before) >= GRIDS_MAX:
        raise Invalid(f"{place} has {GRIDS_MAX} grids")
    draft.grids[place] = (*before, note)
    return DONE


def _review(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    decision, seen = action.summary["decision"], action.summary["evidence"]
    if decision not in DECISIONS:
        raise ValueError("unknown decision")
    if is_author(release, actor=action.actor, on_behalf_of=action.on_behalf_of):
        raise Invalid(f"{action.actor[:40]!r} published {release}, and cannot review it")
    evidence = Digest.parse(seen) if seen else None
    if not _is_seen(release, evidence):
        raise Invalid(f"{seen or 'nothing'} is no report on {release}")
    review = Review(
        decision=decision, evidence=evidence, note=action.reason, told=told_in(record, action)
    )
    # A reviewer has one word; the newest counts.
    others = tuple(one for one in release.health.reviews if one.told.actor != action.actor)
    if len(others) >= REVIEWS_MAX:
        raise Invalid(f"{release} has {REVIEWS_MAX} reviewers")
    health = replace(release.health, reviews=(*others, review))
    return change(draft, line, replace(release, health=health))


def _vote(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    said = action.summary
    vote = Vote(
        pair=str(said["pair"]),
        choice=said["choice"],
        evidence=Digest.parse(said["evidence"]),
        told=told_in(record, action),
        labels=labels_from_json(said.get("labels", {})),
    )
    if vote.choice not in CHOICES or not 0 < len(vote.pair) <= PAIR_CHARS_MAX:
        raise ValueError("unknown choice or pair")
    note = release.health.note_of(vote.evidence)
    if note is None or note.kind != "report":
        raise Invalid(f"{vote.evidence.short} is no report on {release}")
    if any((v.pair, v.told.actor) == (vote.pair, action.actor) for v in release.health.votes):
        raise Invalid(f"{action.actor[:40]!r} has voted on this pair")
    if len(release.health.votes) >= VOTES_MAX:
        raise Invalid(f"{release} has {VOTES_MAX} votes")
    health = replace(release.health, votes=(*release.health.votes, vote))
    voted = with_release(line, replace(release, health=health))
    draft.lines.put(with_vote(voted, release, vote))
    return DONE


def _is_seen(release: Release, evidence: Digest | None) -> bool:
    if evidence is None:
        return release.health.report is None
    note = release.health.note_of(evidence)
    return note is not None and note.kind == "report"


JUDGING: Mapping[str, Callable[[Draft, Record, Action], Effect]] = {
    "evidence": _evidence,
    "grid": _grid,
    "review": _review,
    "vote": _vote,
}
"""The acts of judgement."""
