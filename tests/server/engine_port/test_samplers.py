# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry.release.sampling import FLOW_PREDICTION
from tabard_server.engine_port.errors import SamplerNotServed, UnknownSampler
from tabard_server.engine_port.samplers import (
    FLOW_SAMPLERS,
    NEAREST_FLOW,
    SAMPLERS,
    default_sampler,
    read_sampler,
    resolve_sampler,
    samplers_for,
)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Euler a", "euler_a"),
        ("euler ancestral", "euler_a"),
        ("DPM++ 2M Karras", "dpmpp_2m_karras"),
        ("DPM++ 2M", "dpmpp_2m"),
        ("dpmpp-2m", "dpmpp_2m"),
        ("DPM2 a Karras", "dpm2_a_karras"),
        ("DPM++ SDE Karras", "dpmpp_sde_karras"),
        ("dpm++ 2m sde", "dpmpp_2m_sde"),
        ("k-dpm-2", "dpm2"),
        ("LMS Karras", "lms_karras"),
        ("PLMS", "pndm"),
        ("UniPC", "unipc"),
        ("LCM", "lcm"),
    ],
)
def test_people_spell_samplers_freely(written: str, name: str) -> None:
    """A1111's spellings and our short names mean the same sampler."""
    assert resolve_sampler(written) == name


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_every_name_and_title_resolves(name: str) -> None:
    """Each sampler is found by its short name and by the title written into images."""
    assert resolve_sampler(name) == resolve_sampler(SAMPLERS[name].title) == name


def test_unknown_sampler_lists_known() -> None:
    """The error says what there is."""
    with pytest.raises(UnknownSampler) as caught:
        resolve_sampler("magic")

    assert caught.value.reason == "UNKNOWN_SAMPLER"
    assert "dpmpp_2m" in caught.value.hint


@pytest.mark.parametrize(("written", "meant"), [("eulr", "euler"), ("Euler aa", "euler_a")])
def test_mistyped_sampler_names_the_nearest(written: str, meant: str) -> None:
    """Before all that there are."""
    with pytest.raises(UnknownSampler) as caught:
        resolve_sampler(written)

    assert caught.value.hint.startswith(f"did you mean {meant}? ")


@pytest.mark.parametrize(
    "written", ["DPM fast", "DPM adaptive", "Restart", "DPM++ 2S a Karras", "DPM++ 3M SDE"]
)
def test_sampler_that_cannot_run_per_row_says_so(written: str) -> None:
    """A sampler people know, and that no row can walk by itself, is refused with the nearest."""
    with pytest.raises(SamplerNotServed) as caught:
        resolve_sampler(written)

    assert caught.value.reason == "SAMPLER_NOT_SERVED"
    assert any(f"take {name}," in caught.value.hint for name in SAMPLERS)


@pytest.mark.parametrize(
    ("written", "name"),
    [("FlowMatch Euler", "euler"), ("flow_match_heun", "heun"), ("FlowMatchLCM", "lcm")],
)
def test_flow_sampler_goes_by_its_short_name(written: str, name: str) -> None:
    """On a noise schedule it would be another; so nobody gets that one by the flow's name."""
    with pytest.raises(SamplerNotServed, match="on a flow base") as caught:
        read_sampler(written)

    assert caught.value.hint == f"take {name}"


def test_flow_samplers_have_names_that_are_known() -> None:
    """And what walks no flow has one to take instead that does."""
    assert FLOW_SAMPLERS.keys() | NEAREST_FLOW.keys() == SAMPLERS.keys()
    assert {*NEAREST_FLOW.values()} <= FLOW_SAMPLERS.keys()
    assert not FLOW_SAMPLERS.keys() & NEAREST_FLOW.keys()
    assert all(one.title == SAMPLERS[name].title for name, one in FLOW_SAMPLERS.items())


def test_base_decides_which_samplers_there_are() -> None:
    """And which one a request takes that says none, unless the operator says it."""
    assert samplers_for(FLOW_PREDICTION) is FLOW_SAMPLERS
    assert samplers_for("v_prediction") is samplers_for("") is SAMPLERS
    assert default_sampler("", prediction=FLOW_PREDICTION) == "euler"
    assert default_sampler("", prediction="epsilon") == "ddim"
    assert default_sampler("LCM", prediction=FLOW_PREDICTION) == "LCM"
