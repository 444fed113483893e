# SPDX-License-Identifier: Apache-2.0
"""What the log says of a release's health: evidence, reviews and votes. No blob is read for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tabard_registry.identity.identity import Proof
from tabard_registry.refs.digest import Digest
from tabard_registry.release.bounds import Measurement

CHECKS = (
    *("prompt_drift", "style_mismatch", "artifact"),
    *("copyright", "portrait", "review_failure"),
)
"""The failure checks of every report."""
CHECK_STATES = ("clear", "flagged", "not_checked")
"""How a failure check may stand."""
VERDICTS = ("Success", "Failed", "Inconclusive")
"""What a report may say."""
EVIDENCE_KINDS = ("report", "references", "training", "previews", "review")
"""Documents about one release."""
DECISIONS = ("approve", "reject")
"""What a review may say."""
CHOICES = ("candidate", "stable", "tie", "both_bad")
"""What a vote on a pair may say."""
EVIDENCE_MAX = 256
"""Most documents about one release. Part of the protocol."""
REVIEWS_MAX = 64
"""Most reviewers of one release. Part of the protocol."""
VOTES_MAX = 2_048
"""Most votes on pairs of one release. Part of the protocol."""
PAIR_CHARS_MAX = 64
"""Longest name of a pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who said something of a release, and when.

    Attributes:
        seq: Log position.
        time: Time of the writer; informative only.
        actor: Who.
        on_behalf_of: What they said of themselves beside it.
        proof: How they have shown who they are.
    """

    seq: int
    time: str
    actor: str
    on_behalf_of: str = ""
    proof: Proof = Proof.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceNote:
    """A document about a release.

    Attributes:
        kind: One of `EVIDENCE_KINDS`.
        document: Its digest.
        told: By whom, when.
        verdict: What a report says; empty otherwise.
        checks: Failure checks of a report that somebody looked at; others are `not_checked`.
        against: The release that a report, or a review of one, compares it with, or None.
        grid: The grid of a report, or None.
        inputs: Hash of all that a report rests on, or None.
        measurement: What a report measured, so that a channel can judge it by bounds of its own;
            None: an older Tabard filed it, and its verdict is all there is.
    """

    kind: str
    document: Digest
    told: Told
    verdict: str = ""
    checks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    against: Digest | None = None
    grid: Digest | None = None
    inputs: Digest | None = None
    measurement: Measurement | None = None

    def to_summary(self) -> dict[str, Any]:
        """Write what the act says."""
        found: dict[str, Any] = {
            "verdict": self.verdict,
            "checks": dict(self.checks),
            "against": str(self.against) if self.against else "",
            "grid": str(self.grid) if self.grid else "",
            "inputs": str(self.inputs) if self.inputs else "",
            "measurement": self.measurement.to_json() if self.measurement else None,
        }
        said = {name: one for name, one in found.items() if one}
        return {"kind": self.kind, "document": str(self.document), **said}

    @classmethod
    def from_summary(cls, said: Mapping[str, Any], *, told: Told) -> EvidenceNote:
        """Read what `to_summary` wrote.

        Raises:
            RegistryError, ValueError, TypeError, KeyError, AttributeError: It is something else.
        """
        kind, verdict, checks = said["kind"], said.get("verdict", ""), said.get("checks", {})
        if kind not in EVIDENCE_KINDS or (verdict in VERDICTS) != (kind == "report"):
            raise ValueError("unknown kind or verdict")
        for name, state in checks.items():
            if name not in CHECKS or state not in CHECK_STATES:
                raise ValueError("unknown check")
        against, grid, inputs = (said.get(name) for name in ("against", "grid", "inputs"))
        measured = said.get("measurement")
        return cls(
            kind=kind,
            document=Digest.parse(said["document"]),
            told=told,
            verdict=verdict,
            checks=MappingProxyType(dict(checks)),
            against=Digest.parse(against) if against else None,
            grid=Digest.parse(grid) if grid else None,
            inputs=Digest.parse(inputs) if inputs else None,
            measurement=Measurement.from_json(measured) if measured else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a person decided about a release.

    Attributes:
        decision: One of `DECISIONS`.
        evidence: The report that they saw; None: there was none.
        note: What they say.
        told: By whom, when.
    """

    decision: str
    evidence: Digest | None
    note: str
    told: Told


Labels = tuple[tuple[str, ...], tuple[str, ...]]
"""Failure checks that somebody saw fail: in the candidate's picture, and in the other one."""
NO_LABELS: Labels = ((), ())
"""Nobody saw one."""


def labels_to_json(labels: Labels) -> dict[str, Any]:
    """Write what failed; nothing where nothing did."""
    return {owner: list(found) for owner, found in zip(_OWNERS, labels, strict=True) if found}


def labels_from_json(said: Mapping[str, Any]) -> Labels:
    """Read what `labels_to_json` wrote.

    Raises:
        ValueError, TypeError, AttributeError: It is something else.
    """
    candidate, stable = (tuple(said.get(owner, ())) for owner in _OWNERS)
    if not set(said) <= set(_OWNERS) or any(
        tuple(one for one in CHECKS if one in found) != found for found in (candidate, stable)
    ):
        raise ValueError("unknown check, or out of order")
    return candidate, stable


_OWNERS = ("candidate", "stable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Which picture of a blind pair somebody chose.

    Attributes:
        pair: The pair.
        choice: One of `CHOICES`.
        evidence: The report that the pair is of.
        told: By whom, when.
        labels: Failure checks that the voter saw fail, by who drew the picture.
    """

    pair: str
    choice: str
    evidence: Digest
    told: Told
    labels: Labels = NO_LABELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All that the log says of one release's health, oldest first."""

    evidence: tuple[EvidenceNote, ...] = ()
    reviews: tuple[Review, ...] = ()
    votes: tuple[Vote, ...] = ()

    @property
    def report(self) -> EvidenceNote | None:
        """The newest report."""
        return next((one for one in reversed(self.evidence) if one.kind == "report"), None)

    def newest(self, kind: str) -> EvidenceNote | None:
        """Return the newest document of a kind."""
        return next((one for one in reversed(self.evidence) if one.kind == kind), None)

    def report_on(self, inputs: Digest | None) -> EvidenceNote | None:
        """Return the newest report that rests on something, edits of it included."""
        notes = reversed(self.evidence) if inputs else ()
        return next((one for one in notes if one.inputs == inputs), None)

    def note_of(self, document: Digest) -> EvidenceNote | None:
        """Return what was said with a document."""
        return next((one for one in self.evidence if one.document == document), None)


NO_HEALTH = Health()
"""Nothing was said yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridNote:
    """A grid that a namespace or a release line has.

    Attributes:
        name: What it is called there.
        document: Its digest.
        seq: Log position.
    """

    name: str
    document: Digest
    seq: int
