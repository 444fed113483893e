# SPDX-License-Identifier: Apache-2.0
"""How a canary stands: from what the log holds of it to evidence, and to what shall be done. Pure.

Any server that knows the same log says the same.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from tabard_registry.release.canary import (
    INCONCLUSIVE,
    PAIR,
    ROLLED_BACK,
    SUCCESS,
    VOTE,
    Canary,
    CanaryFigures,
    Observation,
)
from tabard_server.judgement.canary.decision import Course, Decision, count, decide
from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.judgement.canary.state import CanaryState
from tabard_server.judgement.canary.units import Complaint, Pair, Vote

SHARE, SHARES_LATER = 0.05, (0.25, 0.5)
"""The first share that is exposed, and those after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A verdict that follows from what was observed.

    Attributes:
        verdict: What is said.
        figures: What it rests on.
        why: In words.
    """

    verdict: str
    figures: CanaryFigures
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The next share of exposure."""

    share: float


def shares_from(first: float) -> tuple[float, ...]:
    """Return the steps of exposure from a first share on."""
    return (first, *(one for one in SHARES_LATER if one > first))


def policy_words(policy: CanaryPolicy) -> dict[str, float]:
    """Write a policy as the log has it."""
    return asdict(policy)


def policy_of(canary: Canary) -> CanaryPolicy:
    """Return what a canary is judged by; what a newer Tabard wrote besides is left out."""
    known = {one.name: type(one.default) for one in fields(CanaryPolicy)}
    words: Mapping[str, float] = canary.terms.policy
    return CanaryPolicy(
        **{name: known[name](value) for name, value in words.items() if name in known}
    )


def decision_on(canary: Canary) -> Decision:
    """Weigh what was observed, unit by unit in the order of the log, up to a final decision."""
    policy, state = policy_of(canary), CanaryState()
    decision = decide(state, policy=policy)
    for one in canary.seen:
        state, decision = count(state, _unit(one), policy=policy)
        if decision.is_final:
            break
    return decision


def figures_of(decision: Decision) -> CanaryFigures:
    """Write a decision as the log has it."""
    return CanaryFigures(
        e_value=decision.e_value,
        losses=decision.judged.losses,
        units=decision.judged.units,
        streams={
            name: (tally.losses, tally.units, e_value)
            for name, (tally, e_value) in decision.by_stream.items()
        },
        worst=tuple(map(_observation, decision.worst)),
    )


def standing_of(canary: Canary) -> CanaryFigures:
    """Return the figures of a canary: of an ended one those of its end."""
    return figures_of(decision_on(canary)) if canary.is_open else canary.figures


def next_move(canary: Canary) -> Said | Raised | None:
    """Say what shall be done with an open canary, if anything."""
    decision = decision_on(canary)
    if decision.course is Course.ROLL_BACK:
        return _said(ROLLED_BACK, decision, "it is shown to be worse")
    if canary.is_held:
        # Whatever else is seen, people decide.
        return None
    if decision.course is Course.SUCCESS:
        return _said(SUCCESS, decision, "it is shown to lose rarely and to break rarely")
    if decision.course is Course.HOLD:
        return _said(INCONCLUSIVE, decision, "all prompts are spent and neither is shown: decide")
    share, policy = canary.next_share, policy_of(canary)
    if share is None or decision.e_value > policy.share_evidence_max:
        return None
    step = 1 + canary.terms.shares.index(share)
    return Raised(share=share) if decision.judged.units >= step * policy.share_units else None


def held(canary: Canary, why: str) -> Said:
    """Say that a canary waits for people: something keeps it from being judged."""
    return _said(INCONCLUSIVE, decision_on(canary), why)


def _said(verdict: str, decision: Decision, why: str) -> Said:
    return Said(verdict=verdict, figures=figures_of(decision), why=why)


def _unit(one: Observation) -> Pair | Vote | Complaint:
    if one.kind == PAIR:
        return Pair(
            unit=one.unit,
            difference=one.difference,
            candidate_is_broken=one.candidate_is_broken,
            stable_is_broken=one.baseline_is_broken,
        )
    if one.kind == VOTE:
        return Vote(unit=one.unit, is_loss=one.is_loss)
    return Complaint(unit=one.unit, is_loss=one.is_loss, share=one.share)


def _observation(pair: Pair) -> Observation:
    return Observation(
        kind=PAIR,
        unit=pair.unit,
        difference=pair.difference,
        candidate_is_broken=pair.candidate_is_broken,
        baseline_is_broken=pair.stable_is_broken,
    )
