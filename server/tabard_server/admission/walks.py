# SPDX-License-Identifier: Apache-2.0
"""How the steps of a request lie: sampler, spacing, schedule and lists of steps, as one walk.

In: a request as written. Out: a sampler by its short name and a `Walk` that it can take, or a
violation for each field that is wrong. Looks at no registry.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabard_registry.release.sampling import FLOW_PREDICTION
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.errors import UnknownSampler, UnknownSchedule
from tabard_server.engine_port.samplers import (
    Sampler,
    read_sampler,
    samplers_for,
)
from tabard_server.engine_port.walk import (
    FLOW_SIGMA_MAX,
    SCHEDULES,
    SIGMA_MAX,
    SPACING,
    TIMESTEP_SPACINGS,
    TIMESTEPS,
    WARP,
    WARPS_WHOLE_RANGE,
    Walk,
    resolve_schedule,
    resolve_spacing,
)
from tabard_server.errors import InvalidRequest, Violation, invalid

_TRIED: Mapping[str, Mapping[str, Any]] = {
    "timesteps": {"timesteps": (1, 0)},
    "sigmas": {"sigmas": (1.0, 0.0)},
    "eta": {"eta": 1.0},
}
"""Something of each kind, which every sampler that takes such a thing can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """How a sampler can be walked on one base.

    Attributes:
        name: Short name.
        title: The name that UIs show.
        timestep_spacings: Those that may be said with it.
        schedules: Likewise.
        takes: Which of `timesteps`, `sigmas` and `eta` may be said with it.
    """

    name: str
    title: str
    timestep_spacings: tuple[str, ...]
    schedules: tuple[str, ...]
    takes: tuple[str, ...]


class WalkReader:
    """Reads how the steps of requests lie, for one base."""

    def __init__(
        self,
        *,
        resolve_sampler: Callable[[str], str],
        samplers: Sequence[str],
        train_timesteps: int,
        default_sampler: str,
        prediction: str = "",
    ) -> None:
        """Take what the base can be walked with.

        Args:
            resolve_sampler: From any spelling to the short name; raises `UnknownSampler`.
            samplers: Short names of all that it can be walked with.
            train_timesteps: Timesteps of its training.
            default_sampler: The sampler of a request that says none.
            prediction: What the base predicts, by which samplers are what they are.
        """
        self._resolve_sampler = resolve_sampler
        self._table, self._is_flow = samplers_for(prediction), prediction == FLOW_PREDICTION
        self._samplers = [self._table[name] for name in samplers]
        self._train_timesteps = train_timesteps
        self._default_sampler = default_sampler

    def read(self, wanted: WantedDrawing) -> tuple[str, Walk]:
        """Return the sampler and the walk of a request.

        Raises:
            InvalidRequest: Something of them cannot be; it lists the fields.
        """
        sampler, behind = self._sampler(wanted.sampler)
        schedule = _named("schedule", wanted.schedule, resolve_schedule)
        if behind and schedule and behind != schedule:
            raise InvalidRequest((_against("schedule", schedule, f"sampler says {behind}"),))
        walk = Walk(
            timestep_spacing=_named("timestep_spacing", wanted.timestep_spacing, resolve_spacing),
            schedule=schedule or behind,
            timesteps=wanted.timesteps,
            sigmas=wanted.sigmas,
            eta=wanted.eta,
        )
        if not wanted.sampler and walk.schedule not in ("", sampler.schedule):
            # Nobody asked for the schedule that stands in the name of the default.
            sampler = self._table[sampler.without_schedule]
        violations = [
            *_contradictions(walk, sampler=sampler),
            *self._impossible(walk, sampler=sampler, is_redrawn=wanted.image is not None),
            *self._lists(walk, steps=wanted.steps),
            *_eta(walk),
        ]
        if violations:
            raise InvalidRequest(tuple(violations))
        return sampler.name, walk

    def options(self) -> tuple[SamplerOptions, ...]:
        """Return what can be said with each sampler: all that `read` does not refuse."""
        return tuple(
            SamplerOptions(
                name=one.name,
                title=one.title,
                timestep_spacings=self._taken(one, SPACING, TIMESTEP_SPACINGS),
                schedules=self._taken(one, "schedule", SCHEDULES),
                takes=tuple(field for field in _TRIED if self._takes(one, _TRIED[field])),
            )
            for one in self._samplers
        )

    def _taken(self, sampler: Sampler, field: str, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if self._takes(sampler, {field: name}))

    def _takes(self, sampler: Sampler, said: Mapping[str, Any]) -> bool:
        try:
            self.read(WantedDrawing(prompt="", sampler=sampler.name, **said))
        except InvalidRequest:
            return False
        return True

    def _sampler(self, written: str) -> tuple[Sampler, str]:
        try:
            name, schedule = read_sampler(written) if written else (self._default_sampler, "")
            return self._table[self._resolve_sampler(name)], schedule
        except UnknownSampler as error:
            raise invalid("sampler", str(error), reason=error.reason, hint=error.hint) from error

    def _impossible(self, walk: Walk, *, sampler: Sampler, is_redrawn: bool) -> Iterator[Violation]:
        """Refuse what the sampler cannot be told, by name, with who can."""
        for field, ability in _asked(walk, sampler=sampler):
            if ability not in sampler.abilities:
                yield self._cannot(field, walk, sampler=sampler, ability=ability)
        if walk.timesteps and is_redrawn and sampler.scheduler == "HeunDiscreteScheduler":
            # diffusers counts each of its steps twice there, and begins in the wrong place.
            yield self._cannot(
                TIMESTEPS, walk, sampler=sampler, ability=TIMESTEPS, when=" over an image"
            )

    def _cannot(
        self, field: str, walk: Walk, *, sampler: Sampler, ability: str, when: str = ""
    ) -> Violation:
        said = walk.schedule if field == WARP else field
        able = [
            one.name
            for one in self._samplers
            if ability in one.abilities and not one.schedule and one.name != sampler.name
        ]
        hint = f"samplers that take it: {', '.join(able)}" if able else f"leave {field} out"
        if field == WARP:
            here = [
                name
                for name, one in SCHEDULES.items()
                if not one.warp and SPACING in sampler.abilities
            ]
            hint = f"{sampler.name} takes {', '.join(here) or 'no schedule'}; {hint}"
        return Violation(
            field=field,
            description=f"{sampler.name} cannot be walked with {said}{when}",
            reason="SAMPLER_OPTION_NOT_SERVED",
            hint=hint,
        )

    def _lists(self, walk: Walk, *, steps: int | None) -> Iterator[Violation]:
        if walk.steps is not None and steps is not None and steps != walk.steps:
            field = "sigmas" if walk.sigmas else "timesteps"
            yield Violation(
                field=field,
                description=f"{field} makes {walk.steps} steps, and num_inference_steps is {steps}",
                reason="STEPS_MISMATCH",
                hint=f"leave num_inference_steps out, or say {walk.steps}"
                + ("; the last sigma is where the walk ends" if walk.sigmas else ""),
            )
        last = self._train_timesteps - 1
        yield from _list(
            "timesteps", walk.timesteps, least=0, most=last, words=f"whole numbers from 0 to {last}"
        )
        most = FLOW_SIGMA_MAX if self._is_flow else SIGMA_MAX
        yield from _list(
            "sigmas",
            walk.sigmas,
            least=0.0,
            most=most,
            words=f"two numbers or more from {most:g} to 0",
        )
        if len(walk.sigmas) == 1:
            yield Violation(
                field="sigmas",
                description="sigmas has one number, which makes no step",
                reason="STEPS_MISMATCH",
                hint="the last sigma is where the walk ends: mostly 0",
            )
        elif self._is_flow and walk.sigmas and walk.sigmas[-1] != 0.0:
            yield Violation(
                field=f"sigmas[{len(walk.sigmas) - 1}]",
                description=f"sigmas ends at {walk.sigmas[-1]:g}, and a flow ends at 0",
                reason="SCHEDULE_OUT_OF_RANGE",
                hint="write 0 behind them: the last sigma is where the walk ends",
            )


def _named(field: str, written: str, resolve: Callable[[str], str]) -> str:
    try:
        return resolve(written)
    except UnknownSchedule as error:
        raise invalid(field, str(error), reason=error.reason, hint=error.hint) from error


def _asked(walk: Walk, *, sampler: Sampler) -> Iterator[tuple[str, str]]:
    """Name the fields of a walk that its sampler is told of, each with what it must be able to."""
    schedule = SCHEDULES.get(walk.schedule)
    if schedule is not None and schedule.warp:
        yield WARP, WARP
        if walk.timestep_spacing and SPACING not in sampler.abilities:
            yield SPACING, SPACING
    elif walk.spacing:
        # A schedule that is a spacing is refused by the name that was written.
        yield SPACING if walk.timestep_spacing or SPACING in sampler.abilities else WARP, SPACING
    for field in ("timesteps", "sigmas"):
        if getattr(walk, field):
            yield field, field
    if walk.eta is not None:
        yield "eta", "eta"


def _contradictions(walk: Walk, *, sampler: Sampler) -> Iterator[Violation]:
    schedule = SCHEDULES.get(walk.schedule)
    if walk.timesteps and walk.sigmas:
        yield _against("sigmas", "given", "timesteps are given as well")
    if walk.is_listed:
        field = "sigmas" if walk.sigmas else "timesteps"
        named = sampler.name if sampler.schedule else ""
        others = {"schedule": walk.schedule, "timestep_spacing": walk.timestep_spacing}
        for name, said in ({"the sampler": named} | others).items():
            if said:
                yield _against(field, "given", f"{name} is {said}")
        return
    if sampler.schedule and walk.schedule not in ("", sampler.schedule):
        yield _against("schedule", walk.schedule, f"the sampler is {sampler.name}")
    if schedule and schedule.is_spacing and walk.timestep_spacing not in ("", schedule.spacing):
        words = f"schedule {walk.schedule} is {schedule.spacing}"
        yield _against("timestep_spacing", walk.timestep_spacing, words)
    bent = sampler.schedule or (walk.schedule if schedule and schedule.warp else "")
    if walk.timestep_spacing and bent and sampler.scheduler in WARPS_WHOLE_RANGE:
        words = f"{sampler.without_schedule} walks {bent} over the whole range, without a spacing"
        yield _against("timestep_spacing", walk.timestep_spacing, words)


def _against(field: str, said: str, other: str) -> Violation:
    return Violation(
        field=field,
        description=f"{field} is {said}, and {other}: both cannot be",
        reason="SCHEDULE_CONTRADICTED",
        hint="say one of them",
    )


def _list(
    field: str, values: Sequence[float], *, least: float, most: float, words: str
) -> Iterator[Violation]:
    wrong = [one for one in values if not (math.isfinite(one) and least <= one <= most)]
    if wrong:
        yield Violation(
            field=field,
            description=f"{field} has {wrong[0]:g}, which is not from {least:g} to {most:g}",
            reason="SCHEDULE_OUT_OF_RANGE",
            hint=f"use {words}, from the largest to the smallest",
        )
        return
    for index, (before, after) in enumerate(itertools.pairwise(values), start=1):
        if after >= before:
            yield Violation(
                field=f"{field}[{index}]",
                description=f"{field} goes from {before:g} to {after:g}, which is no step down",
                reason="SCHEDULE_OUT_OF_ORDER",
                hint="write them from the largest to the smallest, each once",
            )
            return


def _eta(walk: Walk) -> Iterator[Violation]:
    if walk.eta is not None and not 0.0 <= walk.eta <= 1.0:
        yield Violation(
            field="eta",
            description=f"eta {walk.eta} is not from 0 to 1",
            reason="ETA_OUT_OF_RANGE",
            hint="0 adds no noise, as when nothing is said; tcd is usual with 0.3",
        )
