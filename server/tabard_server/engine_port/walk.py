# SPDX-License-Identifier: Apache-2.0
"""How the steps of a sampler lie: their spacing, their schedule, or a list of one's own.

In: words as people write them. Out: a `Walk`, and what of it each of diffusers' schedulers can be
told. Imports no scheduler: a test holds the tables to them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from tabard_server.engine_port.errors import ScheduleNotServed, UnknownSchedule, UnknownSpacing

TIMESTEP_SPACINGS = ("leading", "trailing", "linspace")
"""How timesteps are spread over those of the training, by diffusers' names."""
ETA = 0.0
"""How much noise each step adds where a request says nothing, as in diffusers' pipelines."""
SIGMA_MAX = 4096.0
"""The largest sigma: what diffusers makes of a schedule that ends in nothing but noise."""
FLOW_SIGMA_MAX = 1.0
"""The largest sigma of a flow: nothing but noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule by the name that UIs give it, as diffusers walks it.

    Attributes:
        title: The name that A1111 shows.
        spacing: The spacing that it has; empty: the base's.
        warp: The option that bends its sigmas; empty: none.
        is_spacing: Whether it is nothing but that spacing, so that no other can be asked for.
        aliases: Other names that UIs know it by.
    """

    title: str
    spacing: str = ""
    warp: str = ""
    is_spacing: bool = False
    aliases: tuple[str, ...] = ()


SCHEDULES: Mapping[str, Schedule] = {
    "normal": Schedule(title="Normal", spacing="linspace", aliases=("uniform",)),
    "karras": Schedule(title="Karras", warp="use_karras_sigmas"),
    "exponential": Schedule(title="Exponential", spacing="linspace", warp="use_exponential_sigmas"),
    "beta": Schedule(title="Beta", spacing="linspace", warp="use_beta_sigmas"),
    "sgm_uniform": Schedule(title="SGM Uniform", spacing="trailing", is_spacing=True),
    "simple": Schedule(title="Simple", spacing="trailing", is_spacing=True),
    "ddim_uniform": Schedule(title="DDIM", spacing="leading", is_spacing=True, aliases=("ddim",)),
}
"""Every schedule, as the table of diffusers' documentation translates those of the UIs."""

_ALIASES = {
    **{alias: name for name, one in SCHEDULES.items() for alias in one.aliases},
    **{re.sub(r"[^a-z0-9]", "", name): name for name in SCHEDULES},
}
_SILENT = ("", "automatic", "default")
# Known to users of UIs; none of diffusers' schedulers walks that way by itself.
_NOT_SERVED = {
    "polyexponential": "exponential",
    "kloptimal": "karras",
    "alignyoursteps": "karras",
    "turbo": "sgm_uniform",
    "linearquadratic": "normal",
    "laplace": "karras",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How the steps of one image lie; where nothing is said, as the base and the sampler have it.

    Attributes:
        timestep_spacing: One of `TIMESTEP_SPACINGS`, or empty.
        schedule: One of `SCHEDULES`, or empty.
        timesteps: The timesteps themselves, or none.
        sigmas: The sigmas themselves, the last one where the walk ends, or none.
        eta: How much noise each step adds, from 0 to 1; None: `ETA`.
    """

    timestep_spacing: str = ""
    schedule: str = ""
    timesteps: tuple[int, ...] = ()
    sigmas: tuple[float, ...] = ()
    eta: float | None = None

    @property
    def is_listed(self) -> bool:
        """Whether it names its steps one by one."""
        return bool(self.timesteps or self.sigmas)

    @property
    def steps(self) -> int | None:
        """How many steps it names; None: it names none."""
        return len(self.timesteps) or max(0, len(self.sigmas) - 1) or None

    @property
    def spacing(self) -> str:
        """The spacing that it comes to; empty: the base's."""
        return self.timestep_spacing or (SCHEDULES[self.schedule].spacing if self.schedule else "")

    @property
    def config(self) -> dict[str, Any]:
        """Entries of a scheduler's config that it changes."""
        changed: dict[str, Any] = {}
        if self.spacing:
            changed["timestep_spacing"] = self.spacing
        if self.schedule and (warp := SCHEDULES[self.schedule].warp):
            changed[warp] = True
        return changed


PLAIN_WALK = Walk()
"""The walk of a request that says nothing of it."""

SPACING, WARP, TIMESTEPS, SIGMAS, ETA_OPTION = (
    "timestep_spacing",
    "schedule",
    "timesteps",
    "sigmas",
    "eta",
)
ABILITIES: Mapping[str, frozenset[str]] = {
    "DDIMScheduler": frozenset({SPACING, ETA_OPTION}),
    "PNDMScheduler": frozenset({SPACING}),
    "EulerDiscreteScheduler": frozenset({SPACING, WARP, TIMESTEPS, SIGMAS}),
    "EulerAncestralDiscreteScheduler": frozenset({SPACING}),
    "HeunDiscreteScheduler": frozenset({SPACING, WARP, TIMESTEPS}),
    "LMSDiscreteScheduler": frozenset({SPACING, WARP}),
    "KDPM2DiscreteScheduler": frozenset({SPACING, WARP}),
    "KDPM2AncestralDiscreteScheduler": frozenset({SPACING, WARP}),
    "DPMSolverMultistepScheduler": frozenset({SPACING, WARP, TIMESTEPS}),
    "DPMSolverSDEScheduler": frozenset({SPACING, WARP}),
    # It takes sigmas of flows only.
    "UniPCMultistepScheduler": frozenset({SPACING, WARP}),
    # These take their steps from those that they were distilled for, whatever the spacing.
    "LCMScheduler": frozenset({TIMESTEPS}),
    "TCDScheduler": frozenset({TIMESTEPS, ETA_OPTION}),
}
"""What each scheduler of diffusers can be told of its steps; a `schedule` that bends sigmas."""
FLOW_ABILITIES: Mapping[str, frozenset[str]] = {
    "FlowMatchEulerDiscreteScheduler": frozenset({WARP, SIGMAS}),
    "FlowMatchHeunDiscreteScheduler": frozenset(),
    "FlowMatchLCMScheduler": frozenset({WARP, SIGMAS}),
    # Bent, their sigmas are those of a noise schedule, which a flow has not.
    "DPMSolverMultistepScheduler": frozenset(),
    "UniPCMultistepScheduler": frozenset({SIGMAS}),
}
"""The same on a flow base. None takes timesteps: diffusers shifts the sigmas that belong to them,
and not them, so that the model would be told of another time than that of its latents."""
WARPS_WHOLE_RANGE = frozenset({"DPMSolverMultistepScheduler", "UniPCMultistepScheduler"})
"""Schedulers that bend the sigmas of the whole training, so that no spacing is left of."""


def resolve_spacing(name: str) -> str:
    """Return one of `TIMESTEP_SPACINGS` for a name as people write it; empty for one that is empty.

    Raises:
        UnknownSpacing: There is no such spacing.
    """
    plain = _plain(name)
    if plain in ("", *TIMESTEP_SPACINGS):
        return plain
    raise UnknownSpacing(
        f"no timestep spacing is called {name!r}",
        hint=f"{_meant(plain, TIMESTEP_SPACINGS)}choose one of: {', '.join(TIMESTEP_SPACINGS)}",
    )


def resolve_schedule(name: str) -> str:
    """Return the short name of a schedule as people write it; empty for one that says nothing.

    Raises:
        ScheduleNotServed: It is known, but none of the samplers here walks that way.
        UnknownSchedule: No schedule goes by that name.
    """
    plain = _plain(name)
    if plain in _SILENT:
        return ""
    if plain in _ALIASES:
        return _ALIASES[plain]
    if plain in _NOT_SERVED:
        raise ScheduleNotServed(
            f"the schedule {name!r} is none that diffusers walks",
            hint=f"take {_NOT_SERVED[plain]}, the nearest that it does, or name its sigmas",
        )
    raise UnknownSchedule(
        f"no schedule is called {name!r}",
        hint=f"{_meant(plain, _ALIASES)}choose one of: {', '.join(SCHEDULES)}",
    )


def split_schedule(plain: str) -> tuple[str, str] | None:
    """Take a schedule from the end of a sampler's name, both without blanks; None: it has none."""
    for ending, schedule in sorted(_ALIASES.items(), key=lambda pair: -len(pair[0])):
        if plain.endswith(ending) and plain != ending:
            return plain.removesuffix(ending), schedule
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _meant(plain: str, known: Any) -> str:
    near = get_close_matches(plain, list(known), n=1)
    return f"did you mean {_ALIASES.get(near[0], near[0])}? " if near else ""
