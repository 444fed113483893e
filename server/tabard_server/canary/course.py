# SPDX-License-Identifier: Apache-2.0
"""What follows from a canary as the log tells it: a verdict, the next share, or nothing yet. Pure.

Every replica folds the same observations in the same order, so every replica says the same.
"""

from dataclasses import fields

from tabard_registry import Author
from tabard_registry.identity.identity import Proof
from tabard_registry.release.canary import (
    COMPLAINT,
    INCONCLUSIVE,
    PAIR,
    ROLLED_BACK,
    SUCCESS,
    Canary,
    CanaryFigures,
    Observation,
)
from tabard_server.judgement.canary.decision import Course, Decision, count, decide
from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.judgement.canary.state import CanaryState
from tabard_server.judgement.canary.units import Complaint, Pair, Vote

ACTOR = "tabard-server"
"""Who the server's own steps are by."""

_VERDICTS = {
    Course.ROLL_BACK: ROLLED_BACK,
    Course.SUCCESS: SUCCESS,
    Course.HOLD: INCONCLUSIVE,
}


def server_author(canary: Canary) -> Author:
    """Return who writes what a server observes: itself, for the one who started the canary."""
    return Author(actor=ACTOR, on_behalf_of=canary.started.actor, proof=Proof.SERVER)


def policy_of(canary: Canary) -> CanaryPolicy:
    """Return the constants that a canary was started with; those that are missing have defaults."""
    known = {one.name: one.type for one in fields(CanaryPolicy)}
    said = {name: value for name, value in canary.terms.policy.items() if name in known}
    whole = {name: int(value) for name, value in said.items() if "int" in str(known[name])}
    return CanaryPolicy(**(said | whole))  # type: ignore[arg-type]


def decision_of(canary: Canary) -> Decision:
    """Judge everything that was observed, in the order of the log."""
    policy, state = policy_of(canary), CanaryState()
    decision = decide(state, policy=policy)
    for one in canary.seen:
        state, decision = count(state, _unit(one), policy=policy)
        if decision.is_final:
            break
    return decision


def verdict_of(canary: Canary, decision: Decision) -> str:
    """Return the verdict that is to be said now; empty: none, or it was said."""
    verdict = _VERDICTS.get(decision.course, "")
    if not canary.is_open or (canary.is_held and verdict != ROLLED_BACK):
        return ""
    return verdict


def share_of(canary: Canary, decision: Decision) -> float | None:
    """Return the share that is due now; None: it stays.

    Each step of exposure is earned by as many judged prompts, beginning in the shadow.
    """
    wanted = canary.next_share
    if wanted is None or not canary.is_open or canary.is_held:
        return None
    steps_done = sum(share <= canary.share for share in canary.terms.shares)
    is_due = decision.judged.units >= (1 + steps_done) * policy_of(canary).step_units
    return wanted if is_due and decision.course is Course.GO_ON else None


def figures_of(decision: Decision) -> CanaryFigures:
    """Return what is written beside a verdict."""
    return CanaryFigures(
        e_value=decision.e_value,
        losses=decision.judged.losses,
        units=decision.judged.units,
        streams={
            name: (tally.losses, tally.units, e_value)
            for name, (tally, e_value) in decision.by_stream.items()
        },
        worst=tuple(
            Observation(
                kind=PAIR,
                unit=pair.unit,
                difference=pair.difference,
                candidate_is_broken=pair.candidate_is_broken,
                baseline_is_broken=pair.stable_is_broken,
            )
            for pair in decision.worst
        ),
    )


def told(verdict: str, decision: Decision) -> str:
    """Say a verdict in words."""
    losses, units = decision.judged.losses, decision.judged.units
    figures = f"E {decision.e_value:.3g}, {losses} of {units} prompts lost"
    meaning = {
        ROLLED_BACK: "worse than what it replaces",
        SUCCESS: "proven to lose and to break rarely",
        INCONCLUSIVE: "neither worse nor proven good in the prompts allowed: people decide",
    }
    return f"{meaning[verdict]}: {figures}"


def _unit(one: Observation) -> Pair | Vote | Complaint:
    if one.kind == PAIR:
        return Pair(
            unit=one.unit,
            difference=one.difference,
            candidate_is_broken=one.candidate_is_broken,
            stable_is_broken=one.baseline_is_broken,
        )
    if one.kind == COMPLAINT:
        return Complaint(unit=one.unit, is_loss=one.is_loss, share=one.share)
    return Vote(unit=one.unit, is_loss=one.is_loss)
