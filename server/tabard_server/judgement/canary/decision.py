# SPDX-License-Identifier: Apache-2.0
"""What follows from what a canary has seen, after each unit: roll back, succeed, hold or go on."""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from tabard_server.judgement.canary.betting import log_evidence_above, log_evidence_below
from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.judgement.canary.state import (
    CanaryState,
    Tally,
    count_complaint,
    count_pair,
    count_vote,
)
from tabard_server.judgement.canary.units import Complaint, Pair, Vote

EVEN = 0.5
"""The chance of a loss in a pair that differs, if both releases are equal."""
LOG_MAX = 700.0
"""Beyond it an e-value would not be a finite number."""


class Course(StrEnum):
    """What to do with a canary."""

    ROLL_BACK = "roll_back"
    """It is worse. Final."""
    SUCCESS = "success"
    """It is proven to lose rarely and to break rarely. Final."""
    HOLD = "hold"
    """Neither was shown in the units allowed: people decide. Votes and complaints still count."""
    GO_ON = "go_on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, and the figures that say why."""

    course: Course
    e_value: float
    """The evidence that the canary is worse; 1 is none."""
    by_stream: dict[str, tuple[Tally, float]]
    """Of each stream: its losses and units, and its own e-value before weighting."""
    judged: Tally
    worst: tuple[Pair, ...]
    """The worst pairs, at most five."""

    @property
    def is_final(self) -> bool:
        """Whether no further unit can change this."""
        return self.course in (Course.ROLL_BACK, Course.SUCCESS)


def count(
    state: CanaryState, unit: Pair | Vote | Complaint, *, policy: CanaryPolicy
) -> tuple[CanaryState, Decision]:
    """Count one unit and decide. After a final decision nothing is counted any more.

    The evidence may fall again below what rolled a release back: so the state stops there.
    """
    decision = decide(state, policy=policy)
    if decision.is_final:
        return state, decision
    match unit:
        case Pair():
            state = count_pair(state, unit, policy=policy)
        case Vote():
            state = count_vote(state, unit, policy=policy)
        case Complaint():
            state = count_complaint(state, unit, policy=policy)
    return state, decide(state, policy=policy)


def decide(state: CanaryState, *, policy: CanaryPolicy) -> Decision:
    """Say what follows from a state: a pure function, so any replica says the same."""
    streams = {
        "soft": (policy.soft_weight, state.soft, _log_e(state.soft, rate=EVEN)),
        "hard": (policy.hard_weight, state.hard, _log_e(state.hard, rate=EVEN)),
        "votes": (policy.votes_weight, state.votes, _log_e(state.votes, rate=EVEN)),
        "complaints": (policy.complaints_weight, *_complaints(state)),
    }
    parts = [math.log(weight) + log_e for weight, _, log_e in streams.values() if weight > 0.0]
    log_e = float(np.logaddexp.reduce(parts))
    return Decision(
        course=_course(state, log_e, policy),
        e_value=math.exp(min(log_e, LOG_MAX)),
        by_stream={
            name: (tally, math.exp(min(log_e, LOG_MAX)))
            for name, (_, tally, log_e) in streams.items()
        },
        judged=state.judged,
        worst=state.worst,
    )


def _course(state: CanaryState, log_e: float, policy: CanaryPolicy) -> Course:
    if log_e >= -math.log(policy.false_rollback_max):
        return Course.ROLL_BACK
    proof = -math.log(policy.false_success_max)
    judged, broken = state.judged, state.hard.losses
    loses = _log_low(judged.losses, judged.units, rate=policy.loss_rate_max)
    breaks = _log_low(broken, judged.units, rate=policy.broken_rate_max)
    if min(loses, breaks) >= proof:
        return Course.SUCCESS
    return Course.HOLD if len(state.pair_units) >= policy.units_max else Course.GO_ON


def _complaints(state: CanaryState) -> tuple[Tally, float]:
    # Under each share a process of its own; one unit moves one of them, so that their product
    # is such a process again.
    losses = sum(tally.losses for _, tally in state.complaints)
    units = sum(tally.units for _, tally in state.complaints)
    log_e = sum(_log_e(tally, rate=share) for share, tally in state.complaints)
    return Tally(losses=losses, units=units), log_e


# A canary is judged from its first unit on whenever somebody looks, by the same few counts.
@lru_cache(maxsize=1 << 14)
def _log_e(tally: Tally, *, rate: float) -> float:
    return float(log_evidence_above(tally.losses, tally.units, rate=rate))


@lru_cache(maxsize=1 << 14)
def _log_low(losses: int, units: int, *, rate: float) -> float:
    return float(log_evidence_below(losses, units, rate=rate))
