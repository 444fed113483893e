# SPDX-License-Identifier: Apache-2.0
"""How a release wants to be sampled: bounds that it was made for, and what is best.

Part of its manifest, for it shapes images. In: what an author says, or what a file says of itself.
Knows no sampler: their names are texts here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from tabard_registry.errors import InvalidField

SPACINGS = ("", "leading", "trailing", "linspace")
"""How timesteps are spread; empty: as the base has it."""
EPSILON, V_PREDICTION, FLOW_PREDICTION = "epsilon", "v_prediction", "flow_prediction"
"""The noise; the velocity, a mixture of it and the picture; the way from the picture to it. All as
diffusers calls them."""
PREDICTIONS = ("", EPSILON, V_PREDICTION, "sample", FLOW_PREDICTION)
"""What the base predicts that it was made for; empty: nobody said."""
NEGATIVE = "negative"
PROMPTS = ("", NEGATIVE)
"""The prompt that its words belong to; empty: the prompt itself."""
ENFORCEMENTS = ("", "warn", "refuse")
"""What happens to a request outside the bounds; empty is `warn`."""
BY_AUTHOR, BY_METADATA = "author", "metadata"
"""Who says how a release wants to be sampled, beside families."""
SAMPLERS_MAX = 16
"""Most samplers that a release names."""
LISTED_MAX = 150
"""Most steps that a release names one by one."""
_NAME_CHARS_MAX = 64
_FEW_STEPS_MAX = 12
_NUMBER_MAX = 100_000.0
_CLIP_SKIP_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a number may be, and what is best; None where nobody said."""

    min: float | None = None
    max: float | None = None
    recommended: float | None = None

    def __post_init__(self) -> None:
        said = [one for one in (self.min, self.recommended, self.max) if one is not None]
        if not all(math.isfinite(one) and abs(one) <= _NUMBER_MAX for one in said):
            raise _invalid("a number is not finite, or too large")
        if said != sorted(said):
            raise _invalid("min, recommended and max are not in this order")

    def __bool__(self) -> bool:
        """Say whether it says anything."""
        return self != NO_SPAN

    def holds(self, number: float) -> bool:
        """Say whether a number is within its bounds."""
        return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)

    def __str__(self) -> str:
        if self.min is None or self.max is None:
            parts = (("at least", self.min), ("at most", self.max))
            return " and ".join(f"{word} {one:g}" for word, one in parts if one is not None)
        return f"{self.min:g} to {self.max:g}"


NO_SPAN = Span()
"""A span that says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a release wants to be sampled; what is empty was not said.

    Attributes:
        samplers: Those that it was made for, the best first.
        steps: Denoise steps.
        guidance: Classifier-free guidance.
        spacing: One of `SPACINGS`.
        timesteps: The timesteps themselves, falling.
        sigmas: The sigmas themselves, falling; the last one is where the walk ends.
        clip_skip: Last layers of the text encoders that are left out, as in diffusers.
        prediction: One of `PREDICTIONS`.
        weight: How strongly it is worn.
        prompt: One of `PROMPTS`.
        enforce: One of `ENFORCEMENTS`.
        sources: Who says so: `author`, `metadata`, or a few-step family, like `LCM`.

    Raises:
        InvalidField: It contradicts itself, or says what cannot be.
    """

    samplers: tuple[str, ...] = ()
    steps: Span = NO_SPAN
    guidance: Span = NO_SPAN
    spacing: str = ""
    timesteps: tuple[int, ...] = ()
    sigmas: tuple[float, ...] = ()
    clip_skip: int | None = None
    prediction: str = ""
    weight: Span = NO_SPAN
    prompt: str = ""
    enforce: str = ""
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in _CLOSED.items():
            if getattr(self, name) not in allowed:
                raise _invalid(
                    f"{name} is {str(getattr(self, name))[:_NAME_CHARS_MAX]!r}",
                    hint=f"Use one of: {', '.join(allowed[1:])}.",
                )
        for names in (self.samplers, self.sources):
            if len(names) > SAMPLERS_MAX or not all(map(_is_name, names)):
                raise _invalid(f"samplers are up to {SAMPLERS_MAX} short names")
        _check_numbers(self)
        if self.timesteps and self.sigmas:
            raise _invalid("timesteps and sigmas are both said")
        _check_list("timesteps", self.timesteps)
        _check_list("sigmas", self.sigmas)
        if len(self.sigmas) == 1:
            raise _invalid("sigmas has one number, which makes no step")
        listed = self.steps_listed
        if listed and not self.steps.holds(listed):
            raise _invalid(f"the list makes {listed} steps, and steps are {self.steps}")

    def __bool__(self) -> bool:
        """Say whether it says anything of how images are drawn."""
        return replace(self, enforce="", sources=()) != NO_SAMPLING

    @property
    def is_few_step(self) -> bool:
        """Say whether it was made for a few steps, so that its wishes come before others'."""
        steps = self.steps
        most = next((one for one in (steps.max, steps.recommended) if one is not None), None)
        return (most or self.steps_listed or _FEW_STEPS_MAX + 1) <= _FEW_STEPS_MAX

    @property
    def steps_listed(self) -> int:
        """How many steps it names one by one."""
        return len(self.timesteps) or max(0, len(self.sigmas) - 1)

    def said_by(self, source: str) -> Sampling:
        """Return it as the word of somebody."""
        return replace(self, sources=(source,)) if self else self

    def over(self, other: Sampling) -> Sampling:
        """Return one that says what this one says, and of the rest what the other one does."""
        if not other:
            return self
        if not self:
            return replace(other, enforce=self.enforce or other.enforce)
        own = {name: getattr(self, name) for name in _SAID if getattr(self, name) not in _EMPTY}
        if own.keys() & _LISTS:
            # One list of steps stands against another one, and against a spacing, as a whole.
            other = replace(other, timesteps=(), sigmas=())
        sources = tuple(dict.fromkeys((*self.sources, *other.sources)))
        return replace(other, **own, sources=sources)

    def to_json(self) -> dict[str, Any]:
        """Write what is said, and nothing else."""
        said = {name: getattr(self, name) for name in (*_SAID, "sources")}
        return {name: _plain(value) for name, value in said.items() if value not in _EMPTY}

    @classmethod
    def from_json(cls, said: Any) -> Sampling:
        """Read what `to_json` wrote, or what an author did.

        Raises:
            InvalidField: A word or a number of it is none.
        """
        if not isinstance(said, Mapping):
            raise _invalid("it is no table")
        unknown = [str(name)[:_NAME_CHARS_MAX] for name in said if name not in _NAMES]
        if unknown:
            raise _invalid(f"{unknown[0]!r} is not known", hint=f"Say: {', '.join(_SAID)}.")
        return cls(**{name: _read(name, value) for name, value in said.items()})


_CLOSED = {
    "spacing": SPACINGS,
    "prediction": PREDICTIONS,
    "prompt": PROMPTS,
    "enforce": ENFORCEMENTS,
}
_NAMES = tuple(one.name for one in fields(Sampling))
_SAID = tuple(name for name in _NAMES if name != "sources")
_SPANS = ("steps", "guidance", "weight")
_LISTS = frozenset({"timesteps", "sigmas"})
_EMPTY: tuple[Any, ...] = ("", (), None, NO_SPAN)


def _check_numbers(said: Sampling) -> None:
    for number in (said.steps.min, said.steps.recommended, said.steps.max):
        if number is not None and (number < 1 or number != int(number)):
            raise _invalid("steps are whole numbers from 1")
    for number in (said.guidance.min, said.guidance.recommended, said.guidance.max):
        if number is not None and number < 0:
            raise _invalid("guidance is 0 or more")
    if said.clip_skip is not None and not 0 <= said.clip_skip <= _CLIP_SKIP_MAX:
        raise _invalid(f"clip_skip is a whole number from 0 to {_CLIP_SKIP_MAX}")


def _check_list(name: str, values: Sequence[float]) -> None:
    if len(values) > LISTED_MAX + 1:
        raise _invalid(f"{name} has more than {LISTED_MAX} steps")
    if not all(math.isfinite(one) and 0 <= one <= _NUMBER_MAX for one in values):
        raise _invalid(f"{name} has a number that is none")
    if any(after >= before for before, after in itertools.pairwise(values)):
        raise _invalid(f"{name} does not go down with each step")


def _is_name(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= _NAME_CHARS_MAX and text.isprintable()


def _plain(value: Any) -> Any:
    if isinstance(value, Span):
        said = {one.name: getattr(value, one.name) for one in fields(Span)}
        return {name: number for name, number in said.items() if number is not None}
    return list(value) if isinstance(value, tuple) else value


def _read(name: str, value: Any) -> Any:
    if name in _SPANS:
        if not isinstance(value, Mapping) or value.keys() - {"min", "max", "recommended"}:
            raise _invalid(f"{name} is no table of min, max and recommended")
        return Span(**{word: _number(name, one) for word, one in value.items()})
    if name == "timesteps":
        return tuple(_whole(name, one) for one in _listed(name, value))
    if name == "sigmas":
        return tuple(_number(name, one) for one in _listed(name, value))
    if name in ("samplers", "sources"):
        return tuple(_listed(name, value))
    if name == "clip_skip":
        return _whole(name, value)
    if not isinstance(value, str):
        raise _invalid(f"{name} is no text")
    return value


def _listed(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise _invalid(f"{name} is no list")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _NUMBER_MAX:
        raise _invalid(f"{name} has {str(value)[:_NAME_CHARS_MAX]!r}, which is no number")
    return float(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(f"{name} has {str(value)[:_NAME_CHARS_MAX]!r}, which is no whole number")
    return value


def _invalid(what: str, *, hint: str = "See docs/sampling.md.") -> InvalidField:
    return InvalidField(
        f"the sampling that is declared cannot be: {what}", reason="SAMPLING_INVALID", hint=hint
    )


NO_SAMPLING = Sampling()
"""What says nothing."""
