# SPDX-License-Identifier: Apache-2.0
"""A sampler, a schedule and an eta are one of Tabard's samplers, or none."""

from dataclasses import replace

import pytest

from tabard import SamplerOptions, ScheduleNames
from tabard_server.admission.walks import WalkReader
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.samplers import SAMPLERS, resolve_sampler
from tabard_web.a1111.samplers import list_samplers, list_schedulers, read_sampler
from tests.web.a1111.status import STATUS

READER = WalkReader(
    resolve_sampler=resolve_sampler,
    samplers=tuple(SAMPLERS),
    train_timesteps=1000,
    default_sampler="ddim",
)


@pytest.mark.parametrize(
    ("name", "scheduler", "eta", "found"),
    [
        ("Euler a", "automatic", 1.0, ("euler_a", "", None)),
        ("Euler", "", None, ("euler", "", None)),
        ("Euler", "Karras", 1.0, ("euler", "karras", None)),
        ("Euler", "SGM Uniform", None, ("euler", "sgm_uniform", None)),
        ("DPM++ 2M", "Automatic", 1.0, ("dpmpp_2m", "karras", None)),
        ("DPM++ 2M", "", None, ("dpmpp_2m", "karras", None)),
        ("DPM++ 2M", "Uniform", None, ("dpmpp_2m", "normal", None)),
        ("DPM++ 2M Karras", "automatic", None, ("dpmpp_2m_karras", "", None)),
        ("DPM++ 2M Karras", "karras", None, ("dpmpp_2m_karras", "karras", None)),
        ("DPM++ SDE", "automatic", 1.0, ("dpmpp_sde", "karras", None)),
        ("DPM2 a", "automatic", 1.0, ("dpm2_a", "karras", None)),
        ("DPM++ 2M SDE", "karras", 1.0, ("dpmpp_2m_sde", "karras", None)),
        ("DPM++ 2M SDE", "automatic", None, ("dpmpp_2m_sde", "exponential", None)),
        ("DDIM", "automatic", 0.3, ("ddim", "", 0.3)),
        ("DDIM", "DDIM", None, ("ddim", "ddim_uniform", None)),
        ("TCD", "", 0.5, ("tcd", "", 0.5)),
        ("UniPC", "", 1.0, ("unipc", "", None)),
    ],
)
def test_sampler_is_that_of_a1111(
    name: str, scheduler: str, eta: float | None, found: tuple[str, str, float | None]
) -> None:
    """What A1111 takes for `Automatic` is taken here; the server knows how it spells."""
    said = read_sampler(name, scheduler, eta)

    walk = READER.read(WantedDrawing(prompt="", **said))[1]
    assert (resolve_sampler(said["sampler"]), walk.schedule, walk.eta) == found


@pytest.mark.parametrize(
    ("name", "eta"),
    [("", 1.0), ("Euler a", 0.0), ("DPM++ 2M SDE Karras", 0.5), ("DPM++ 2M SDE Exponential", 0)],
)
def test_eta_that_cannot_be_had_is_refused(name: str, eta: float) -> None:
    """By its name."""
    with pytest.raises(ValueError, match=r"^eta: "):
        read_sampler(name, "", eta)


def test_nothing_said_is_the_servers_default() -> None:
    """It knows best what fits its base."""
    assert read_sampler("", "", None) == read_sampler("", "Automatic", None) == {}


def test_lists_are_the_servers() -> None:
    """Every sampler and schedule that a server has, under the names that it says."""
    status = replace(
        STATUS,
        sampler_options=(SamplerOptions(name="new", title="New ++"),),
        schedules=(
            ScheduleNames(name="karras", title="Karras"),
            ScheduleNames(name="normal", title="Normal", aliases=("uniform",)),
        ),
    )

    assert list(list_samplers(status)) == [{"name": "New ++", "aliases": ["new"], "options": {}}]
    assert [(one["name"], one["aliases"]) for one in list_schedulers(status)] == [
        ("automatic", None),
        ("karras", None),
        ("normal", ["uniform"]),
    ]
