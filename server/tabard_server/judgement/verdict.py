# SPDX-License-Identifier: Apache-2.0
"""What follows from the scores: Success, Failed, or Inconclusive, with the reason of each gate.

Scores inform, a person decides: what was not checked is never a pass. The verdict on figures is the
registry's, which judges by it what a channel asks for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

from tabard_registry.release.bounds import FIGURE_MAX, Bounds, Measurement, as_bounds
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
    the distance between seeds. Asked only where words wake all of a release, of a recipe every
    member."""
    drift_added_max: float = 0.5
    """Where stable itself is above that, as a style is that was trained to work unnamed: what a
    release may add, as a share of what stable moves. An honest retrain added a quarter; releases
    that had gone wrong more than doubled it."""
    broken_for_person: PositiveInt = 1
    """Broken pictures of a grid from which on a person looks. Good variants had none in 64."""
    broken_to_fail: PositiveInt = 2
    """Broken pictures from which on a release fails."""

    @property
    def bounds(self) -> Bounds:
        """The bounds by name."""
        return as_bounds(self.model_dump())


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
    """Of control prompts, where words wake all of the release."""
    drift_of_stable: Result | None = None
    broken: int
    """Pictures of the candidate that failed their sanity check."""
    pictures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict, and the gates that it was made of."""

    verdict: Verdict
    gates: tuple[Gate, ...]
    measurement: Measurement
    """What it rests on."""


def judge(
    scores: Scores,
    *,
    policy: GatePolicy,
    bounds: Bounds | None = None,
    unseen: Mapping[str, str] | None = None,
) -> Judgement:
    """Put every score through its gates. Failed beats Inconclusive, which beats Success.

    Args:
        scores: What was measured.
        policy: The bounds of this server.
        bounds: What a channel asks for, before those; None: nothing.
        unseen: What else should have been looked at, and why nobody here can.
    """
    unseen = unseen or {}
    measured = _measured(scores, bounds=policy.bounds, unseen=tuple(unseen))
    asked = {**policy.bounds, **(bounds or {})}
    words = {name: f"not checked: {why}" for name, why in unseen.items()}
    words |= _words_of(scores, asked)
    gates = tuple(
        Gate(name=name, verdict=Verdict(answer.verdict.lower()), reason=words[name])
        for name, answer in measured.answers(asked).items()
    )
    verdict = Verdict(measured.verdict(asked).lower())
    return Judgement(verdict=verdict, gates=gates, measurement=measured)


def judge_prompts(prompts: tuple[Interval, ...], *, at_least: float) -> tuple[bool, ...]:
    """Say of each prompt whether it is stable: whether its interval is wholly good."""
    return tuple(bool(prompt.low >= at_least) for prompt in prompts)


def _measured(scores: Scores, *, bounds: Bounds, unseen: tuple[str, ...]) -> Measurement:
    """Return the figures of what was asked; those of counts have the same ends."""
    figures: dict[str, tuple[float, float]] = {}
    unchecked = list(unseen)
    for name, result in _asked(scores):
        if isinstance(result, NotChecked):
            unchecked.append(name)
        elif name == "worst_prompt":
            # By its value: the least of many is biased when it is resampled.
            figures[name] = (result.interval.value, result.interval.value)
        else:
            figures[name] = _ends(result.interval)
        if isinstance(result, Score) and result.paired is not None and name in _PAIRED:
            figures[f"{name}_against_stable"] = _ends(result.paired)
    drift, stable = scores.drift, scores.drift_of_stable
    if isinstance(drift, Score) and isinstance(stable, Score) and drift.paired is not None:
        figures["drift_of_stable"] = _ends(stable.interval)
        moved = stable.interval.value
        if moved > 0:
            low, high = _ends(drift.paired)
            figures["drift_against_stable"] = (low / moved, high / moved)
    if isinstance(scores.copies, NotChecked):
        unchecked.append("copies")
    elif scores.copies is not None:
        figures["copies"] = (scores.copies.number,) * 2
    if scores.pictures < 1:
        unchecked.append("broken")
    else:
        figures["broken"] = (scores.broken,) * 2
    return Measurement(figures=figures, unchecked=tuple(unchecked), bounds=bounds)


_PAIRED = ("style", "subject", "identifiability")


def _asked(scores: Scores) -> Iterator[tuple[str, Result]]:
    for name in ("style", "subject", "identifiability", "worst_prompt", "diversity", "drift"):
        result: Result | None = getattr(scores, name)
        if result is not None:
            yield name, result


def _ends(interval: Interval) -> tuple[float, float]:
    """Return both ends; one seed leaves them open, and a document has no infinity."""
    ends = np.clip((interval.low, interval.high), -FIGURE_MAX, FIGURE_MAX)
    return float(ends[0]), float(ends[1])


def _words_of(scores: Scores, asked: Bounds) -> dict[str, str]:
    """Say by which figures each gate was answered."""
    words = {"broken": f"{scores.broken} of {scores.pictures} pictures are broken"}
    for name, result in _asked(scores):
        words |= _words_of_one(name, result, asked)
    stable = scores.drift_of_stable
    if isinstance(scores.drift, Score) and isinstance(stable, Score) and scores.drift.paired:
        added = asked["drift_added_max"] * stable.interval.value
        paired = _said(scores.drift.paired)
        words["drift_against_stable"] = f"{paired}; at most {added:.2f} is asked"
    match scores.copies:
        case NotChecked() as one:
            words["copies"] = _not_checked(one)
        case Copies() as one:
            number, of = one.number, one.cells.size
            words["copies"] = f"{number} of {of} pictures are nearly training pictures"
    return words


def _words_of_one(name: str, result: Result, asked: Bounds) -> dict[str, str]:
    if isinstance(result, NotChecked):
        return {name: _not_checked(result)}
    if name == "worst_prompt":
        value = f"{result.interval.value:.2f} on the worst prompt"
        return {name: f"{value}; at least {asked['worst_prompt_min']:.2f} is asked"}
    if name == "drift":
        return {name: f"{_said(result.interval)}; at most {asked['drift_max']:.2f} is asked"}
    words = {name: f"{_said(result.interval)}; at least {asked[f'{name}_min']:.2f} is asked"}
    if result.paired is not None and name in _PAIRED:
        bound = asked[f"{name}_paired_min"]
        words[f"{name}_against_stable"] = f"{_said(result.paired)}; at least {bound:.2f} is asked"
    return words


def _not_checked(result: NotChecked) -> str:
    return f"not checked: {result.words}"


def _said(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f} to {interval.high:.2f}]"
