# SPDX-License-Identifier: Apache-2.0
"""What a release is held to, and how it was measured: figures go in, a verdict comes out.

Pure, and part of the protocol: the fold judges by it what a channel asks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tabard_registry.errors import InvalidField, PreconditionFailed

Bounds = Mapping[str, float]
"""Bounds by name."""
AT_LEAST = (
    *("style_min", "style_paired_min", "subject_min", "subject_paired_min", "worst_prompt_min"),
    *("identifiability_min", "identifiability_paired_min", "diversity_min"),
)
"""Bounds that a figure may not be below: the higher, the stricter."""
AT_MOST = ("drift_max", "drift_added_max", "broken_for_person", "broken_to_fail")
"""Bounds that a figure may not be above, or not reach: the lower, the stricter."""
BOUND_NAMES = (*AT_LEAST, *AT_MOST)
"""Every bound. Part of the protocol."""
FIGURE_MAX = 1e6
"""Largest figure or bound, by its size: an open end of an interval is written as this."""
SUCCESS, FAILED, INCONCLUSIVE = "Success", "Failed", "Inconclusive"

_COUNTS = ("broken_for_person", "broken_to_fail")
_ASKS = {
    "broken": "broken_for_person",
    "style": "style_min",
    "style_against_stable": "style_paired_min",
    "subject": "subject_min",
    "subject_against_stable": "subject_paired_min",
    "worst_prompt": "worst_prompt_min",
    "identifiability": "identifiability_min",
    "identifiability_against_stable": "identifiability_paired_min",
    "diversity": "diversity_min",
    "drift": "drift_max",
    "drift_against_stable": "drift_added_max",
}
_COPIES, _OF_STABLE = "copies", "drift_of_stable"
_WEIGHT = "weight"
"""Whether a release was drawn at the weight that it is served with; it has no figure."""
_FOR_PEOPLE = ("worst_prompt",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one figure stands to its bound.

    Attributes:
        verdict: `Success`, `Failed` or `Inconclusive`.
        bound: The name of the bound; empty: no bound is asked of it.
        asked: The bound.
    """

    verdict: str
    bound: str = ""
    asked: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """How a release was measured: all that a verdict rests on.

    Attributes:
        figures: Of each question both ends of its interval; a count has the same ends. That of
            `drift_against_stable` is the share of what stable moves.
        unchecked: Questions that could not be answered.
        bounds: Those of the server that measured, all of them: they count where nobody says others.

    Raises:
        InvalidField: A name is unknown, or a number is none.
    """

    figures: Mapping[str, tuple[float, ...]]
    unchecked: tuple[str, ...] = ()
    bounds: Bounds = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        known = {*_ASKS, _COPIES, _OF_STABLE, _WEIGHT}
        if not known.issuperset((*self.figures, *self.unchecked)):
            raise _invalid("a figure of an unknown name")
        for name, ends in self.figures.items():
            if len(ends) != 2 or not all(map(_is_figure, ends)) or ends[0] > ends[1]:
                raise _invalid(f"{name} has not two ends")
        check_bounds(self.bounds)
        if set(self.bounds) != set(BOUND_NAMES):
            raise _invalid("not every bound of the server is said")
        # A whole number is written otherwise than what is read of it, and digests are of bytes.
        figures = {name: (float(low), float(high)) for name, (low, high) in self.figures.items()}
        object.__setattr__(self, "figures", MappingProxyType(figures))
        object.__setattr__(self, "bounds", as_bounds(self.bounds))

    def answers(self, bounds: Bounds) -> dict[str, Answer]:
        """Hold each figure against its bound.

        Args:
            bounds: What is asked; those of the server stand for the others.
        """
        asked = {**self.bounds, **bounds}
        found = {}
        for name in (*_ASKS, _COPIES, _WEIGHT):
            if name in self.unchecked:
                found[name] = Answer(verdict=INCONCLUSIVE)
            elif name in self.figures and not self._is_passed_over(name, asked=asked):
                found[name] = self._answer(name, asked=asked)
        return found

    def verdict(self, bounds: Bounds) -> str:
        """Return what bounds make of it: Failed beats Inconclusive, which beats Success."""
        answers = self.answers(bounds)
        verdicts = {one.verdict for one in answers.values()}
        for verdict in (FAILED, INCONCLUSIVE):
            if verdict in verdicts:
                return verdict
        # Sound pictures alone are no success: something must have been compared.
        return SUCCESS if set(answers) - {"broken"} else INCONCLUSIVE

    def misses(self, bounds: Bounds) -> str:
        """Say what is in the way of a Success, in words; empty: nothing."""
        return "; ".join(
            self._miss(name, answer)
            for name, answer in self.answers(bounds).items()
            if answer.verdict != SUCCESS
        )

    def to_json(self) -> dict[str, Any]:
        """Write it as a JSON object."""
        return {
            "figures": {name: list(ends) for name, ends in self.figures.items()},
            "unchecked": list(self.unchecked),
            "bounds": dict(self.bounds),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Measurement:
        """Read what `to_json` wrote; raises what unpacking and the checks raise."""
        figures = {str(name): tuple(ends) for name, ends in said["figures"].items()}
        return cls(
            figures=MappingProxyType(figures),
            unchecked=tuple(said["unchecked"]),
            bounds=MappingProxyType(dict(said["bounds"])),
        )

    def _is_passed_over(self, name: str, *, asked: Bounds) -> bool:
        """Say which of both drifts is not asked: where stable moves controls, it is the other."""
        if name not in ("drift", "drift_against_stable"):
            return False
        drift, stable = self.figures.get("drift"), self.figures.get(_OF_STABLE)
        is_beside_stable = (
            drift is not None
            and stable is not None
            and "drift_against_stable" in self.figures
            and drift[1] > asked["drift_max"]
            and stable[1] > asked["drift_max"]
        )
        return is_beside_stable == (name == "drift")

    def _answer(self, name: str, *, asked: Bounds) -> Answer:
        low, high = self.figures[name]
        if name == _COPIES:
            return Answer(verdict=INCONCLUSIVE if high > 0 else SUCCESS)
        bound = _ASKS[name]
        limit = asked[bound]
        if name == "broken":
            verdict = FAILED if high >= asked["broken_to_fail"] else INCONCLUSIVE
            verdict = verdict if high >= min(limit, asked["broken_to_fail"]) else SUCCESS
        elif bound in AT_MOST:
            verdict = _judge(-high, -low, at_least=-limit)
        else:
            verdict = _judge(low, high, at_least=limit)
        if name in _FOR_PEOPLE and verdict == FAILED:
            verdict = INCONCLUSIVE
        return Answer(verdict=verdict, bound=bound, asked=limit)

    def _miss(self, name: str, answer: Answer) -> str:
        if name not in self.figures:
            return f"{name} was not checked"
        low, high = self.figures[name]
        found = f"{low:.2f} to {high:.2f}" if low != high else f"{low:g}"
        if not answer.bound:
            return f"{name} is {found}"
        if name == "broken":
            return f"broken is {found}, fewer than {answer.asked:g} are asked"
        side = "least" if answer.bound in AT_LEAST else "most"
        return f"{name} is {found}, at {side} {answer.asked:g} is asked ({answer.bound})"


def as_bounds(bounds: Mapping[str, float]) -> Bounds:
    """Return bounds as they are kept."""
    return MappingProxyType({name: float(bounds[name]) for name in BOUND_NAMES if name in bounds})


def check_bounds(bounds: Mapping[str, Any]) -> None:
    """Refuse what are no bounds.

    Raises:
        InvalidField: A name is unknown, or a bound is no number.
        PreconditionFailed: No release could ever keep to one (POLICY_UNSATISFIABLE).
    """
    for name, bound in bounds.items():
        if name not in BOUND_NAMES:
            raise _invalid(f"there is no bound {str(name)[:40]!r}")
        if not _is_figure(bound) or (name in _COUNTS and bound != int(bound)):
            kind = "whole number" if name in _COUNTS else "number"
            raise _invalid(f"{name} is no {kind} of a sensible size")
        least = 1 if name in _COUNTS else 0
        if name in AT_MOST and bound < least:
            raise PreconditionFailed(
                f"no release can have {name} {bound:g}",
                reason="POLICY_UNSATISFIABLE",
                hint=f"Ask for {least} or more.",
            )


def strictest(asked: Iterable[Bounds], *, defaults: Bounds) -> Bounds:
    """Return the strictest of each bound of several who ask; who leaves one out asks the default.

    Where nobody asks, these are the defaults.
    """
    wholes = [{**defaults, **one} for one in asked] or [dict(defaults)]
    return MappingProxyType(
        {name: (max if name in AT_LEAST else min)(one[name] for one in wholes) for name in defaults}
    )


def _judge(low: float, high: float, *, at_least: float) -> str:
    if low >= at_least:
        return SUCCESS
    return FAILED if high < at_least else INCONCLUSIVE


def _is_figure(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) <= FIGURE_MAX


def _invalid(message: str) -> InvalidField:
    return InvalidField(
        message,
        reason="FIELD_INVALID",
        hint=f"Bounds are numbers: {', '.join(BOUND_NAMES)}.",
    )
