# SPDX-License-Identifier: Apache-2.0
"""What follows from the scores: Success, Failed, or Inconclusive, with the reason of each gate.

Scores inform, a person decides: what was not checked is never a pass.
"""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, PositiveInt

from tabard_server.judgement.scores.intervals import Interval
from tabard_server.judgement.scores.overfitting import Copies
from tabard_server.judgement.scores.result import NotChecked, Result, Score


class GatePolicy(BaseModel):
    """Bounds of the gates. Chosen on five variants of one small adapter: measure again."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    style_min: float = 0.5
    """Half of the way from the base to the references. A half-strength style scored 0.05."""
    style_paired_min: float = -0.10
    """What a release may lose against stable: as much as makes a pair of a canary a tie."""
    subject_min: float = 0.5
    """As for style; asked only of a learned encoder."""
    subject_paired_min: float = -0.10
    """As for style."""
    worst_prompt_min: float = 0.25
    """On its worst prompt a style may be weak, not absent; else a person looks at that prompt."""
    identifiability_min: float = 0.2
    """An overcooked adapter scored 0.08 while its style was the best of all; stable 0.64."""
    identifiability_paired_min: float = -0.20
    """Wider than for style: the weight 0.8 moved it from 0.64 to 0.48."""
    diversity_min: float = 0.6
    """Seeds that differ much less than the base's are one picture, learned by heart."""
    drift_max: float = 1.5
    """On prompts without the trigger: at its full weight a good adapter moved them by 1.19 of
    the distance between seeds. Asked only of releases that declare a trigger."""
    drift_added_max: float = 0.5
    """Where stable itself is above that, as a style is that was trained to work unnamed: what a
    release may add, as a share of what stable moves. An honest retrain added a quarter; releases
    that had gone wrong more than doubled it."""
    broken_for_person: PositiveInt = 1
    """Broken pictures of a grid from which on a person looks. Good variants had none in 64."""
    broken_to_fail: PositiveInt = 2
    """Broken pictures from which on a release fails."""


class Verdict(StrEnum):
    """What the figures say."""

    SUCCESS = "success"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """A person decides. It is never promoted by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One question and its answer."""

    name: str
    verdict: Verdict
    reason: str
    """The figures that it was answered by, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All that is judged. What was not asked for is none: it makes no gate."""

    style: Result | None = None
    subject: Result | None = None
    """Of a learned encoder only: the fallback sees no subjects."""
    worst_prompt: Result | None = None
    identifiability: Result | None = None
    copies: Copies | NotChecked | None = None
    diversity: Result | None = None
    drift: Result | None = None
    """Of control prompts, for releases that declare a trigger."""
    drift_of_stable: Result | None = None
    broken: int
    """Pictures of the candidate that failed their sanity check."""
    pictures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict, and the gates that it was made of."""

    verdict: Verdict
    gates: tuple[Gate, ...]


def judge(scores: Scores, *, policy: GatePolicy) -> Judgement:
    """Put every score through its gates. Failed beats Inconclusive, which beats Success."""
    gates = [_broken(scores, policy)]
    gates += _compared("style", scores.style, policy.style_min, policy.style_paired_min)
    gates += _compared("subject", scores.subject, policy.subject_min, policy.subject_paired_min)
    gates += _compared(
        "identifiability",
        scores.identifiability,
        policy.identifiability_min,
        policy.identifiability_paired_min,
    )
    gates += _worst_prompt(scores.worst_prompt, policy)
    gates += _compared("diversity", scores.diversity, policy.diversity_min, None)
    gates += _drift(scores.drift, stable=scores.drift_of_stable, policy=policy)
    gates += _copies(scores.copies)
    verdicts = {gate.verdict for gate in gates}
    for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return Judgement(verdict=verdict, gates=tuple(gates))
    # Sound pictures alone are no success: something must have been compared.
    is_judged = len(gates) > 1
    verdict = Verdict.SUCCESS if is_judged else Verdict.INCONCLUSIVE
    return Judgement(verdict=verdict, gates=tuple(gates))


def judge_interval(interval: Interval, *, at_least: float) -> Verdict:
    """Say whether an interval is wholly good, wholly bad, or neither."""
    if interval.low >= at_least:
        return Verdict.SUCCESS
    return Verdict.FAILED if interval.high < at_least else Verdict.INCONCLUSIVE


def judge_prompts(prompts: tuple[Interval, ...], *, at_least: float) -> tuple[Verdict, ...]:
    """Say of each prompt whether it is stable (Success), not (Failed), or undecided."""
    return tuple(judge_interval(prompt, at_least=at_least) for prompt in prompts)


def _broken(scores: Scores, policy: GatePolicy) -> Gate:
    verdict = Verdict.SUCCESS
    if scores.pictures < 1 or scores.broken >= policy.broken_for_person:
        verdict = Verdict.INCONCLUSIVE
    if scores.broken >= policy.broken_to_fail:
        verdict = Verdict.FAILED
    reason = f"{scores.broken} of {scores.pictures} pictures are broken"
    return Gate(name="broken", verdict=verdict, reason=reason)


def _compared(
    name: str, result: Result | None, at_least: float, paired_at_least: float | None
) -> list[Gate]:
    if result is None:
        return []
    if isinstance(result, NotChecked):
        return [_not_checked(name, result)]
    gates = [_gate(name, result.interval, at_least=at_least)]
    if result.paired is not None and paired_at_least is not None:
        gates.append(_gate(f"{name}_against_stable", result.paired, at_least=paired_at_least))
    return gates


def _worst_prompt(result: Result | None, policy: GatePolicy) -> list[Gate]:
    if result is None:
        return []
    if isinstance(result, NotChecked):
        return [_not_checked("worst_prompt", result)]
    # By its value: the least of many is biased when it is resampled. And never a failure.
    value = result.interval.value
    verdict = Verdict.SUCCESS if value >= policy.worst_prompt_min else Verdict.INCONCLUSIVE
    reason = f"{value:.2f} on the worst prompt; at least {policy.worst_prompt_min:.2f} is asked"
    return [Gate(name="worst_prompt", verdict=verdict, reason=reason)]


def _drift(result: Result | None, *, stable: Result | None, policy: GatePolicy) -> list[Gate]:
    """Ask that controls stay where they are; or, where stable moves them already, of no more."""
    if result is None:
        return []
    if isinstance(result, NotChecked):
        return [_not_checked("drift", result)]
    gate = _at_most("drift", result.interval, at_most=policy.drift_max)
    if gate.verdict is Verdict.SUCCESS or not isinstance(stable, Score) or result.paired is None:
        return [gate]
    if stable.interval.high <= policy.drift_max:
        return [gate]
    added_max = policy.drift_added_max * stable.interval.value
    return [_at_most("drift_against_stable", result.paired, at_most=added_max)]


def _at_most(name: str, interval: Interval, *, at_most: float) -> Gate:
    verdict = Verdict.SUCCESS if interval.high <= at_most else Verdict.INCONCLUSIVE
    if interval.low > at_most:
        verdict = Verdict.FAILED
    reason = f"{_words(interval)}; at most {at_most:.2f} is asked"
    return Gate(name=name, verdict=verdict, reason=reason)


def _copies(copies: Copies | NotChecked | None) -> list[Gate]:
    if copies is None:
        return []
    if isinstance(copies, NotChecked):
        return [_not_checked("copies", copies)]
    verdict = Verdict.INCONCLUSIVE if copies.number else Verdict.SUCCESS
    reason = f"{copies.number} of {copies.cells.size} pictures are nearly training pictures"
    return [Gate(name="copies", verdict=verdict, reason=reason)]


def _gate(name: str, interval: Interval, *, at_least: float) -> Gate:
    verdict = judge_interval(interval, at_least=at_least)
    return Gate(
        name=name, verdict=verdict, reason=f"{_words(interval)}; at least {at_least:.2f} is asked"
    )


def _not_checked(name: str, result: NotChecked) -> Gate:
    return Gate(name=name, verdict=Verdict.INCONCLUSIVE, reason=f"not checked: {result.words}")


def _words(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f} to {interval.high:.2f}]"
