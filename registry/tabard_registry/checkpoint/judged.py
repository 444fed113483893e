# SPDX-License-Identifier: Apache-2.0
"""Health of a release, and grids, as JSON in a checkpoint, and back."""

from __future__ import annotations

from typing import Any

from tabard_registry.identity.identity import Proof
from tabard_registry.refs.digest import Digest
from tabard_registry.release.health import (
    EvidenceNote,
    GridNote,
    Health,
    Review,
    Told,
    Vote,
    labels_from_json,
    labels_to_json,
)


def health_to_json(health: Health) -> list[Any] | None:
    """Write the health of a release; None where nothing was said."""
    evidence = [[one.to_summary(), told_to_json(one.told)] for one in health.evidence]
    reviews = [
        [one.decision, str(one.evidence) if one.evidence else "", one.note, told_to_json(one.told)]
        for one in health.reviews
    ]
    votes = [
        [
            *(one.pair, one.choice, str(one.evidence)),
            *(told_to_json(one.told), labels_to_json(one.labels)),
        ]
        for one in health.votes
    ]
    return [evidence, reviews, votes] if evidence or reviews or votes else None


def health_from_json(found: Any) -> Health:
    """Read what `health_to_json` wrote; raises what unpacking and parsing raise."""
    evidence, reviews, votes = found
    return Health(
        evidence=tuple(
            EvidenceNote.from_summary(said, told=told_from_json(told)) for said, told in evidence
        ),
        reviews=tuple(
            Review(
                decision=decision,
                evidence=Digest.parse(seen) if seen else None,
                note=note,
                told=told_from_json(told),
            )
            for decision, seen, note, told in reviews
        ),
        votes=tuple(
            Vote(
                pair=pair,
                choice=choice,
                evidence=Digest.parse(seen),
                told=told_from_json(told),
                labels=labels_from_json(labels),
            )
            for pair, choice, seen, told, labels in votes
        ),
    )


def grids_to_json(grids: tuple[GridNote, ...]) -> list[Any]:
    """Write the grids of one place."""
    return [[one.name, str(one.document), one.seq] for one in grids]


def grids_from_json(rows: Any) -> tuple[GridNote, ...]:
    """Read what `grids_to_json` wrote; raises what unpacking and parsing raise."""
    return tuple(
        GridNote(name=name, document=Digest.parse(digest), seq=seq) for name, digest, seq in rows
    )


def told_to_json(told: Told) -> list[Any]:
    """Write who said something, and when."""
    return [told.seq, told.time, told.actor, told.on_behalf_of, str(told.proof)]


def told_from_json(row: Any) -> Told:
    """Read what `told_to_json` wrote; raises what unpacking raises."""
    seq, time, actor, on_behalf_of, proof = row
    return Told(seq=seq, time=time, actor=actor, on_behalf_of=on_behalf_of, proof=Proof.read(proof))
