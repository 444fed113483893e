# SPDX-License-Identifier: Apache-2.0
"""A sampler, a schedule and an eta are one of Tabard's samplers, or none."""

import pytest

from tabard_server.engine_port.samplers import SAMPLERS, resolve_sampler
from tabard_web.a1111.samplers import TITLES, list_samplers, read_sampler, title_of


@pytest.mark.parametrize(
    ("name", "scheduler", "eta", "sampler"),
    [
        ("Euler a", "automatic", 1.0, "euler_a"),
        ("Euler", "", None, "euler"),
        ("Euler", "Karras", 1.0, "euler_karras"),
        ("DPM++ 2M", "Automatic", 1.0, "dpmpp_2m_karras"),
        ("DPM++ 2M", "", None, "dpmpp_2m_karras"),
        ("DPM++ 2M", "Uniform", None, "dpmpp_2m"),
        ("DPM++ 2M Karras", "automatic", None, "dpmpp_2m_karras"),
        ("DPM++ 2M Karras", "karras", None, "dpmpp_2m_karras"),
        ("DPM++ SDE", "automatic", 1.0, "dpmpp_sde_karras"),
        ("DPM2 a", "automatic", 1.0, "dpm2_a_karras"),
        ("DPM++ 2M SDE", "karras", 1.0, "dpmpp_2m_sde_karras"),
        ("DDIM", "automatic", 0.0, "ddim"),
        ("UniPC", "", 1.0, "unipc"),
    ],
)
def test_sampler_is_that_of_a1111(
    name: str, scheduler: str, eta: float | None, sampler: str
) -> None:
    """What A1111 takes for `Automatic` is taken here."""
    assert resolve_sampler(read_sampler(name, scheduler, eta)) == sampler


@pytest.mark.parametrize(
    ("name", "scheduler", "eta", "parameter"),
    [
        ("DPM++ 2M SDE", "automatic", None, "scheduler"),
        ("Euler", "Exponential", None, "scheduler"),
        ("Euler", "SGM Uniform", None, "scheduler"),
        ("DPM++ 2M Karras", "uniform2", None, "scheduler"),
        ("", "Karras", None, "scheduler"),
        ("", "", 1.0, "eta"),
        ("Euler a", "", 0.0, "eta"),
        ("DDIM", "", 1.0, "eta"),
        ("DPM++ 2M SDE Karras", "", 0.5, "eta"),
    ],
)
def test_what_cannot_be_had_is_refused(
    name: str, scheduler: str, eta: float | None, parameter: str
) -> None:
    """By the parameter that asks for it."""
    with pytest.raises(ValueError, match=f"^{parameter}: "):
        read_sampler(name, scheduler, eta)


def test_nothing_said_is_the_servers_default() -> None:
    """It knows best what fits its base."""
    assert read_sampler("", "", None) == read_sampler("", "Automatic", None) == ""


def test_titles_are_the_servers() -> None:
    """Every sampler that a server has is listed under the name that its images say."""
    titles = {name: sampler.title for name, sampler in SAMPLERS.items()}

    assert {name: title_of(name) for name in SAMPLERS} == titles
    assert {*TITLES} == {name.removesuffix("_karras") for name in SAMPLERS}


def test_newer_samplers_are_listed_as_they_are() -> None:
    """A server may have more than this gateway knows."""
    assert [one["name"] for one in list_samplers(["new", "new_karras"])] == ["new", "new Karras"]
