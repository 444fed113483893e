# SPDX-License-Identifier: Apache-2.0
"""How steps lie, in everybody's spelling; and tables that say what diffusers can be told."""

import inspect

import diffusers
import pytest

from tabard_server.engine_port.errors import ScheduleNotServed, UnknownSchedule
from tabard_server.engine_port.samplers import SAMPLERS, read_sampler
from tabard_server.engine_port.walk import (
    ABILITIES,
    PLAIN_WALK,
    SCHEDULES,
    TIMESTEP_SPACINGS,
    Walk,
    resolve_schedule,
    resolve_spacing,
)

# Takes sigmas of flows only, and says so when it is asked.
_FLOWS_ONLY = {("UniPCMultistepScheduler", "sigmas")}
# Have the entry in their config, and take their steps without a look at it.
_NOT_LOOKED_AT = {"LCMScheduler", "TCDScheduler"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Karras", "karras"),
        ("SGM Uniform", "sgm_uniform"),
        ("sgm_uniform", "sgm_uniform"),
        ("Exponential", "exponential"),
        ("Beta", "beta"),
        ("Simple", "simple"),
        ("Normal", "normal"),
        ("Uniform", "normal"),
        ("DDIM", "ddim_uniform"),
        ("ddim_uniform", "ddim_uniform"),
        ("Automatic", ""),
        ("", ""),
    ],
)
def test_people_spell_schedules_freely(written: str, name: str) -> None:
    """A1111's and ComfyUI's spellings mean the same schedule; Automatic says nothing."""
    assert resolve_schedule(written) == name


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_title_resolves(name: str) -> None:
    """Each schedule is found by the title that is written into images."""
    assert resolve_schedule(SCHEDULES[name].title) == name


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("DPM++ 2M Exponential", ("dpmpp_2m", "exponential")),
        ("DPM++ 2M SDE Exponential", ("dpmpp_2m_sde", "exponential")),
        ("dpmpp_2m_sgm_uniform", ("dpmpp_2m", "sgm_uniform")),
        ("Euler SGM Uniform", ("euler", "sgm_uniform")),
        ("DPM++ 2M Karras", ("dpmpp_2m_karras", "")),
        ("UniPC Beta", ("unipc", "beta")),
        ("DDIM", ("ddim", "")),
        ("euler_a", ("euler_a", "")),
    ],
)
def test_schedule_behind_a_sampler(written: str, found: tuple[str, str]) -> None:
    """UIs write both in one name."""
    assert read_sampler(written) == found


def test_unknown_schedule_names_the_nearest() -> None:
    """And all that there are."""
    with pytest.raises(UnknownSchedule) as caught:
        resolve_schedule("karas")

    assert caught.value.reason == "SCHEDULE_UNKNOWN"
    assert caught.value.hint.startswith("did you mean karras? ")
    assert all(name in caught.value.hint for name in SCHEDULES)


@pytest.mark.parametrize("written", ["Polyexponential", "KL Optimal", "Align Your Steps", "Turbo"])
def test_schedule_of_nobody_names_the_nearest(written: str) -> None:
    """A schedule that UIs have and diffusers has not is refused with one that it has."""
    with pytest.raises(ScheduleNotServed) as caught:
        resolve_schedule(written)

    assert caught.value.reason == "SCHEDULE_NOT_SERVED"
    assert any(f"take {name}," in caught.value.hint for name in SCHEDULES)


def test_spacings_are_three() -> None:
    """In any case; another is refused with all of them."""
    assert [resolve_spacing(f" {name.title()}") for name in TIMESTEP_SPACINGS] == [
        *TIMESTEP_SPACINGS
    ]
    with pytest.raises(UnknownSchedule) as caught:
        resolve_spacing("trailin")

    assert caught.value.reason == "TIMESTEP_SPACING_UNKNOWN"
    assert caught.value.hint.startswith("did you mean trailing? ")


@pytest.mark.parametrize("scheduler", sorted({one.scheduler for one in SAMPLERS.values()}))
def test_abilities_are_those_of_diffusers(scheduler: str) -> None:
    """What a scheduler can be told is what its signatures say, but for what it refuses inside."""
    kind = getattr(diffusers, scheduler)
    config = inspect.signature(kind.__init__).parameters
    steps = inspect.signature(kind.set_timesteps).parameters
    step = inspect.signature(kind.step).parameters
    found = {name for name in ("timesteps", "sigmas") if name in steps}
    found -= {name for name in found if (scheduler, name) in _FLOWS_ONLY}
    found |= {"eta"} if "eta" in step else set()
    found |= {"schedule"} if "use_beta_sigmas" in config else set()
    if "timestep_spacing" in config and scheduler not in _NOT_LOOKED_AT:
        found |= {"timestep_spacing"}

    assert ABILITIES[scheduler] == found


def test_walk_counts_its_steps() -> None:
    """The last sigma is where the walk ends."""
    assert PLAIN_WALK.steps is None and not PLAIN_WALK.is_listed
    assert Walk(timesteps=(9, 5, 1)).steps == 3
    assert Walk(sigmas=(9.0, 1.0, 0.0)).steps == 2


def test_plain_walk_changes_nothing() -> None:
    """And a spacing that is said counts before that of the schedule."""
    assert PLAIN_WALK.config == {}
    assert Walk(schedule="beta", timestep_spacing="trailing").config == {
        "timestep_spacing": "trailing",
        "use_beta_sigmas": True,
    }
