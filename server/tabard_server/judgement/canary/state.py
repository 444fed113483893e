# SPDX-License-Identifier: Apache-2.0
"""What a canary has seen: a small value that is folded over units, written down and resumed.

Folding the same units in the same order gives the same value on any replica.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.judgement.canary.units import Complaint, Pair, Vote

WORST_MAX = 5
"""Pairs that are kept to be shown when a release is rolled back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Losses among units."""

    losses: int = 0
    units: int = 0

    def add(self, *, is_loss: bool) -> Self:
        """Count one more unit."""
        return replace(self, losses=self.losses + is_loss, units=self.units + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryState:
    """Counts, the units that made them, and the worst pairs."""

    soft: Tally = Tally()
    """Pairs whose scores differ; losses where the candidate's is lower."""
    hard: Tally = Tally()
    """Pairs of which exactly one side is broken; losses where it is the candidate."""
    votes: Tally = Tally()
    complaints: tuple[tuple[float, Tally], ...] = ()
    """By the canary's share when the picture was drawn; in the order of the first of each."""
    judged: Tally = Tally()
    """Pairs with at least one sound side; losses where the candidate lost softly or hard."""
    pair_units: tuple[str, ...] = ()
    """Units that were counted, those with two broken sides too, in the order of their coming."""
    vote_units: tuple[str, ...] = ()
    complaint_units: tuple[str, ...] = ()
    worst: tuple[Pair, ...] = ()
    """The worst first: broken by the candidate, then by difference."""

    def to_json(self) -> dict[str, Any]:
        """Write this as plain JSON types."""
        return {
            "soft": _tally_to_json(self.soft),
            "hard": _tally_to_json(self.hard),
            "votes": _tally_to_json(self.votes),
            "complaints": [[share, *_tally_to_json(tally)] for share, tally in self.complaints],
            "judged": _tally_to_json(self.judged),
            "pair_units": list(self.pair_units),
            "vote_units": list(self.vote_units),
            "complaint_units": list(self.complaint_units),
            "worst": [_pair_to_json(pair) for pair in self.worst],
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        complaints = ((share, _tally(counts)) for share, *counts in written["complaints"])
        return cls(
            soft=_tally(written["soft"]),
            hard=_tally(written["hard"]),
            votes=_tally(written["votes"]),
            complaints=tuple(complaints),
            judged=_tally(written["judged"]),
            pair_units=tuple(written["pair_units"]),
            vote_units=tuple(written["vote_units"]),
            complaint_units=tuple(written["complaint_units"]),
            worst=tuple(Pair(**pair) for pair in written["worst"]),
        )


def count_pair(state: CanaryState, pair: Pair, *, policy: CanaryPolicy) -> CanaryState:
    """Count a pair, unless its prompt was counted before or enough were."""
    if pair.unit in state.pair_units or len(state.pair_units) >= policy.units_max:
        return state
    seen = replace(state, pair_units=(*state.pair_units, pair.unit))
    if pair.candidate_is_broken and pair.stable_is_broken:
        # It tells nothing of either side, and must not look like health.
        return seen
    soft, hard, lost = seen.soft, seen.hard, False
    if pair.difference is not None and abs(pair.difference) > policy.difference_min:
        lost = pair.difference < 0
        soft = soft.add(is_loss=lost)
    if pair.candidate_is_broken or pair.stable_is_broken:
        lost = lost or pair.candidate_is_broken
        hard = hard.add(is_loss=pair.candidate_is_broken)
    judged = seen.judged.add(is_loss=lost)
    worst = tuple(sorted((*seen.worst, pair), key=_badness)[:WORST_MAX])
    return replace(seen, soft=soft, hard=hard, judged=judged, worst=worst)


def count_vote(state: CanaryState, vote: Vote, *, policy: CanaryPolicy) -> CanaryState:
    """Count a vote, unless its pair was voted on before or enough were."""
    if vote.unit in state.vote_units or len(state.vote_units) >= policy.units_max:
        return state
    units = (*state.vote_units, vote.unit)
    return replace(state, votes=state.votes.add(is_loss=vote.is_loss), vote_units=units)


def count_complaint(
    state: CanaryState, complaint: Complaint, *, policy: CanaryPolicy
) -> CanaryState:
    """Count a complaint, unless its unit complained before or enough did."""
    is_full = len(state.complaint_units) >= policy.complaints_max
    if complaint.unit in state.complaint_units or is_full:
        return state
    by_share = dict(state.complaints)
    tally = by_share.get(complaint.share, Tally())
    by_share[complaint.share] = tally.add(is_loss=complaint.is_loss)
    units = (*state.complaint_units, complaint.unit)
    return replace(state, complaints=tuple(by_share.items()), complaint_units=units)


def _badness(pair: Pair) -> tuple[bool, float]:
    return not pair.candidate_is_broken, 0.0 if pair.difference is None else pair.difference


def _tally_to_json(tally: Tally) -> list[int]:
    return [tally.losses, tally.units]


def _tally(counts: Sequence[int]) -> Tally:
    losses, units = counts
    return Tally(losses=losses, units=units)


def _pair_to_json(pair: Pair) -> dict[str, Any]:
    return {
        "unit": pair.unit,
        "difference": pair.difference,
        "candidate_is_broken": pair.candidate_is_broken,
        "stable_is_broken": pair.stable_is_broken,
    }
