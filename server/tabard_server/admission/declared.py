# SPDX-License-Identifier: Apache-2.0
"""How the worn releases want to be sampled, and what becomes of a request that says otherwise.

In: a request as written and its pinned stack. Out: the request with what they recommend where it
said nothing, and a warning for each thing that they were not made for. A request that wears nothing
with a declaration passes as it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tabard_registry import Policy, Release
from tabard_registry.release.sampling import Sampling
from tabard_server.admission.walks import WalkReader
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.errors import UnknownSampler
from tabard_server.engine_port.samplers import (
    SAMPLERS,
    resolve_sampler,
    samplers_for,
)
from tabard_server.engine_port.walk import SPACING
from tabard_server.engine_port.weights.strength import stated_weights
from tabard_server.errors import InvalidRequest, Violation, invalid
from tabard_server.jobs.job import SamplingWarning, Worn

_WALKED = ("timestep_spacing", "schedule", "timesteps", "sigmas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What a request is drawn with, whatever of it was said."""

    steps: int
    guidance_scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """One release of a stack that says how it wants to be sampled, and its weights there."""

    release: Release
    sampling: Sampling
    weights: tuple[float, ...]


class DeclaredSampling:
    """Reads requests by what their releases declare, for one base."""

    def __init__(
        self,
        *,
        walks: WalkReader,
        check: Callable[[WantedDrawing], Sequence[Violation]],
        numbers: Callable[[WantedDrawing], Numbers],
        prediction: str,
    ) -> None:
        """Take what says whether a request can be drawn.

        Args:
            walks: Reads how steps lie.
            check: Says what is wrong with the numbers of a request.
            numbers: Fills in what a request does not say.
            prediction: What the base predicts.
        """
        self._walks = walks
        self._check = check
        self._numbers = numbers
        self._prediction, self._samplers = prediction, samplers_for(prediction)

    def heed(
        self, wanted: WantedDrawing, *, worn: Sequence[Worn], policies: Mapping[str, Policy]
    ) -> tuple[WantedDrawing, tuple[SamplingWarning, ...]]:
        """Take recommendations where a request says nothing, and judge the rest by the bounds.

        Args:
            wanted: The request as written.
            worn: Its pinned stack.
            policies: What namespaces ask for; one may ask that the bounds of its releases hold.

        Raises:
            InvalidRequest: Two releases exclude each other, or one refuses what is asked.
        """
        wishes = _wishes(worn)
        if not wishes:
            return wanted, ()
        if conflicts := list(_conflicts(wishes)):
            raise InvalidRequest(tuple(conflicts))
        # A few-step adapter draws nothing right any other way; a style bears with it.
        ordered = sorted(wishes, key=lambda wish: not wish.sampling.is_few_step)
        filled, untaken = self._fill(wanted, ordered)
        warnings, refusals = list(untaken), []
        for wish in wishes:
            for field, message in self._outside(wish, filled):
                warning = SamplingWarning(release=str(wish.release), field=field, message=message)
                if who := _who_refuses(wish, policies):
                    refusals.append(_refusal(warning, who=who))
                else:
                    warnings.append(warning)
        if refusals:
            raise InvalidRequest(tuple(refusals))
        return filled, tuple(warnings)

    def _fill(
        self, wanted: WantedDrawing, wishes: Sequence[_Wish]
    ) -> tuple[WantedDrawing, list[SamplingWarning]]:
        """Take each recommendation that this base can draw; tell of the others."""
        untaken: list[SamplingWarning] = []
        is_walk_said = any(getattr(wanted, name) for name in _WALKED)
        for field, recommend in _RECOMMENDED:
            if getattr(wanted, field) not in (None, "", ()):
                continue
            if field in _WALKED and (is_walk_said or _is_walked(wanted)):
                continue
            if field == "steps" and (wanted.timesteps or wanted.sigmas):
                continue
            found = next(((w, v) for w in wishes if (v := recommend(w.sampling, wanted))), None)
            if found is None:
                continue
            wish, values = found
            possible = (replace(wanted, **{field: value}) for value in values)
            taken = next((one for one in possible if self._is_possible(one)), None)
            if taken is not None:
                wanted = taken
            elif not (field in _WALKED and self._has_own_steps(wanted, wish.sampling)):
                words = f"wants {_name(field)} {_text(values)}, which cannot be drawn so here"
                untaken.append(
                    SamplingWarning(release=str(wish.release), field=_name(field), message=words)
                )
        return wanted, untaken

    def _is_possible(self, wanted: WantedDrawing) -> bool:
        if self._check(wanted):
            return False
        try:
            self._walks.read(wanted)
        except InvalidRequest:
            return False
        return True

    def _outside(self, wish: _Wish, wanted: WantedDrawing) -> Iterator[tuple[str, str]]:
        """Say what a release was not made for."""
        said, numbers = wish.sampling, self._numbers(wanted)
        sampler, walk = self._walks.read(wanted)
        measured = (
            ("num_inference_steps", numbers.steps, said.steps),
            ("guidance_scale", numbers.guidance_scale, said.guidance),
            *(("adapters", weight, said.weight) for weight in wish.weights),
        )
        for field, number, span in measured:
            if not span.holds(number):
                word = "weight" if field == "adapters" else field
                yield field, f"{word} is {number:g}, made for {span}"
        made_for = {SAMPLERS[one].without_schedule for one in _known(said.samplers)}
        plain = SAMPLERS[sampler].without_schedule
        if made_for and plain not in made_for:
            yield "sampler", f"sampler is {sampler}, made for {', '.join(said.samplers)}"
        is_spaced = SPACING in self._samplers[sampler].abilities
        is_own = not is_spaced and plain in made_for
        if said.spacing and not (walk.is_listed or is_own or walk.spacing == said.spacing):
            found = walk.spacing if is_spaced else f"that of {sampler}"
            words = f"timestep_spacing is {found or 'that of the base'}"
            yield "timestep_spacing", f"{words}, made for {said.spacing}"
        if said.prediction not in ("", self._prediction):
            yield "adapters", f"the base predicts {self._prediction}, made for {said.prediction}"

    def _has_own_steps(self, wanted: WantedDrawing, said: Sampling) -> bool:
        """Say whether the sampler is one that it was made for, and that no spacing can be told."""
        known = set(_known((wanted.sampler,))) & set(_known(said.samplers))
        return any(SPACING not in self._samplers[one].abilities for one in known)


def _wishes(worn: Sequence[Worn]) -> list[_Wish]:
    """Return who says how to be sampled; a recipe that does speaks for its members."""
    found: dict[str, _Wish] = {}
    for one in worn:
        recipe = one.recipe
        if recipe is not None and recipe.release.sampling:
            release, weight, controls = recipe.release, recipe.weight, recipe.controls
        else:
            release, weight, controls = one.release, one.weight, one.controls
        if release.sampling:
            found.setdefault(
                str(release.digest),
                _Wish(
                    release=release,
                    sampling=release.sampling,
                    weights=stated_weights(weight, controls),
                ),
            )
    return list(found.values())


def _conflicts(wishes: Sequence[_Wish]) -> Iterator[Violation]:
    """Name pairs whose bounds no request can keep; what is recommended never excludes."""
    for index, left in enumerate(wishes):
        for right in wishes[index + 1 :]:
            for word in ("spacing", "prediction"):
                one, other = getattr(left.sampling, word), getattr(right.sampling, word)
                if one and other and one != other:
                    yield _conflict(left, right, words=(f"{word} {one}", f"{word} {other}"))
            for word in ("steps", "guidance"):
                one, other = getattr(left.sampling, word), getattr(right.sampling, word)
                lows = [span.min for span in (one, other) if span.min is not None]
                highs = [span.max for span in (one, other) if span.max is not None]
                if lows and highs and max(lows) > min(highs):
                    yield _conflict(left, right, words=(f"{word} {one}", f"{word} {other}"))


def _conflict(left: _Wish, right: _Wish, *, words: tuple[str, str]) -> Violation:
    return Violation(
        field="adapters",
        description=f"{left.release} was made for {words[0]}, {right.release} for {words[1]}",
        reason="SAMPLING_CONFLICT",
        hint="wear one of them in a request",
    )


def _who_refuses(wish: _Wish, policies: Mapping[str, Policy]) -> str:
    """Say whether the author or the namespace of a release chose that; empty: neither."""
    if wish.sampling.enforce == "refuse":
        return f"{wish.release} refuses this"
    namespace = wish.release.adapter.namespace
    policy = policies.get(namespace)
    is_enforced = policy is not None and policy.enforce_sampling
    return f"{namespace} refuses this of {wish.release}" if is_enforced else ""


def _refusal(warning: SamplingWarning, *, who: str) -> Violation:
    return invalid(
        warning.field,
        f"{who}: {warning.message}",
        reason="SAMPLING_REFUSED",
        hint="leave it out to take what is recommended, or stay within the bounds",
    ).violations[0]


def _known(names: Sequence[str]) -> Iterator[str]:
    """Read names that a registry holds; a newer Tabard may know more of them."""
    for name in names:
        try:
            yield resolve_sampler(name)
        except UnknownSampler:
            continue


def _is_walked(wanted: WantedDrawing) -> bool:
    return any(getattr(wanted, name) for name in _WALKED)


def _listed(name: str) -> Callable[[Sampling, WantedDrawing], tuple[Any, ...]]:
    def recommend(said: Sampling, wanted: WantedDrawing) -> tuple[Any, ...]:
        is_fit = wanted.steps in (None, said.steps_listed)
        listed = getattr(said, name)
        return (listed,) if listed and is_fit else ()

    return recommend


def _best(name: str, kind: type) -> Callable[[Sampling, WantedDrawing], tuple[Any, ...]]:
    def recommend(said: Sampling, wanted: WantedDrawing) -> tuple[Any, ...]:
        del wanted
        best = getattr(said, name).recommended
        return () if best is None else (kind(best),)

    return recommend


_RECOMMENDED: tuple[tuple[str, Callable[[Sampling, WantedDrawing], tuple[Any, ...]]], ...] = (
    ("sampler", lambda said, _wanted: tuple(said.samplers)),
    ("timesteps", _listed("timesteps")),
    ("sigmas", _listed("sigmas")),
    ("timestep_spacing", lambda said, _wanted: (said.spacing,) if said.spacing else ()),
    ("steps", _best("steps", int)),
    ("guidance_scale", _best("guidance", float)),
    ("clip_skip", lambda said, _wanted: () if said.clip_skip is None else (said.clip_skip,)),
)
"""Fields of a request, in the order in which they are filled, and what a release wants there."""
_NAMES = {"steps": "num_inference_steps"}


def _name(field: str) -> str:
    return _NAMES.get(field, field)


def _text(values: Sequence[Any]) -> str:
    return " or ".join(
        ", ".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in values
    )
