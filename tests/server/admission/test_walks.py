# SPDX-License-Identifier: Apache-2.0
"""What a request may say of its steps: taken, or refused by field with what can be said instead."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry.release.sampling import FLOW_PREDICTION
from tabard_server.admission.walks import WalkReader
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.errors import SamplerNotServed
from tabard_server.engine_port.samplers import (
    FLOW_SAMPLERS,
    SAMPLERS,
    resolve_sampler,
)
from tabard_server.engine_port.walk import PLAIN_WALK, SCHEDULES, TIMESTEP_SPACINGS, Walk
from tabard_server.errors import InvalidRequest, Violation


def flow_reader() -> WalkReader:
    """Return one for a flow base that every sampler of flows can draw on."""

    def resolve(name: str) -> str:
        found = resolve_sampler(name)
        if found not in FLOW_SAMPLERS:
            raise SamplerNotServed(f"{found} cannot draw here", hint="take euler")
        return found

    return WalkReader(
        resolve_sampler=resolve,
        samplers=tuple(FLOW_SAMPLERS),
        train_timesteps=1000,
        default_sampler="euler",
        prediction=FLOW_PREDICTION,
    )


def reader(default_sampler: str = "ddim") -> WalkReader:
    return WalkReader(
        resolve_sampler=resolve_sampler,
        samplers=tuple(SAMPLERS),
        train_timesteps=1000,
        default_sampler=default_sampler,
    )


def read(*, default_sampler: str = "ddim", **said: Any) -> tuple[str, Walk]:
    return reader(default_sampler).read(WantedDrawing(prompt="x", **said))


def refusals(**said: Any) -> list[Violation]:
    with pytest.raises(InvalidRequest) as caught:
        read(**said)
    assert all(one.hint for one in caught.value.violations)
    return list(caught.value.violations)


def refusal(**said: Any) -> tuple[str, str]:
    """Return field and reason of the one thing that is wrong."""
    (violation,) = refusals(**said)
    return violation.field, violation.reason


def test_silence_is_the_plain_walk() -> None:
    """A request that says nothing takes the default sampler, as it is."""
    assert read() == ("ddim", PLAIN_WALK)
    assert read(schedule="Automatic") == ("ddim", PLAIN_WALK)


def test_options_are_what_is_not_refused() -> None:
    """A UI can offer what is told, and nothing else would be drawn."""
    told = {one.name: one for one in reader().options()}

    assert list(told) == list(SAMPLERS)
    assert (told["lcm"].timestep_spacings, told["lcm"].schedules) == ((), ())
    assert told["tcd"].takes == ("timesteps", "eta")
    assert told["euler"].takes == ("timesteps", "sigmas")
    assert told["euler_karras"].schedules == ("karras",) and told["euler_karras"].takes == ()
    assert "karras" not in told["euler_a"].schedules and "simple" in told["euler_a"].schedules
    assert told["dpmpp_2m"].timestep_spacings and not told["dpmpp_2m_karras"].timestep_spacings


def test_every_spacing_and_schedule_is_taken_or_refused_by_name() -> None:
    """Of all that can be said together, what is not drawn is refused by the field that says it."""
    fields = {"timestep_spacing", "schedule"}
    for sampler, spacing, schedule in itertools.product(
        SAMPLERS, ("", *TIMESTEP_SPACINGS), ("", *SCHEDULES)
    ):
        said = {"sampler": sampler, "timestep_spacing": spacing, "schedule": schedule}
        try:
            found = read(**said)
        except InvalidRequest as error:
            assert {one.field for one in error.violations} <= fields
            assert {said[one.field] for one in error.violations} != {""}
        else:
            assert found == (sampler, Walk(timestep_spacing=spacing, schedule=schedule))


def test_everything_said_is_taken() -> None:
    """In anybody's spelling."""
    assert read(sampler="DPM++ 2M", schedule="Beta") == ("dpmpp_2m", Walk(schedule="beta"))
    assert read(sampler="Euler SGM Uniform") == ("euler", Walk(schedule="sgm_uniform"))
    assert read(sampler="tcd", eta=0.3, timesteps=(999, 499)) == (
        "tcd",
        Walk(timesteps=(999, 499), eta=0.3),
    )
    assert read(sampler="euler", sigmas=(14.6, 1.5, 0.0), steps=2)[1].sigmas == (14.6, 1.5, 0.0)
    assert read(sampler="euler", schedule="exponential", timestep_spacing="Leading") == (
        "euler",
        Walk(schedule="exponential", timestep_spacing="leading"),
    )
    # The same thing twice is no contradiction.
    assert read(sampler="euler_karras", schedule="karras")[0] == "euler_karras"
    assert read(schedule="simple", timestep_spacing="trailing")[1].spacing == "trailing"


def test_default_with_a_schedule_gives_way() -> None:
    """A schedule that is asked for counts before the one in the default sampler's name."""
    said = {"default_sampler": "dpmpp_2m_karras"}

    assert read(**said, schedule="beta") == ("dpmpp_2m", Walk(schedule="beta"))
    assert read(**said)[0] == "dpmpp_2m_karras"
    assert read(**said, schedule="karras")[0] == "dpmpp_2m_karras"


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_option_is_taken_or_refused_by_name(sampler: str) -> None:
    """What a sampler cannot be told is refused with samplers that can; nothing is passed over."""
    options: dict[str, Any] = {"timestep_spacing": "trailing", "timesteps": (999, 1)}
    options |= {"sigmas": (14.0, 0.0), "eta": 0.5}
    abilities = SAMPLERS[sampler].abilities
    for field, value in options.items():
        if field in abilities and not SAMPLERS[sampler].schedule:
            assert read(sampler=sampler, **{field: value})[0] == sampler
        elif field not in abilities:
            first = refusals(sampler=sampler, **{field: value})
            reasons = {(one.field, one.reason) for one in first}
            assert (field, "SAMPLER_OPTION_NOT_SERVED") in reasons
            assert all(sampler in one.description for one in first if one.field == field)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_schedule_that_a_sampler_lacks_names_those_that_it_has(schedule: str) -> None:
    """A DDIM can only be spaced; an LCM has steps of its own."""
    if SCHEDULES[schedule].warp:
        (violation,) = refusals(sampler="ddim", schedule=schedule)
        assert violation.reason == "SAMPLER_OPTION_NOT_SERVED"
        assert "ddim takes normal, sgm_uniform, simple, ddim_uniform; " in violation.hint
        assert "euler" in violation.hint and "euler_karras" not in violation.hint
    else:
        assert read(sampler="ddim", schedule=schedule)[1].schedule == schedule
    assert refusal(sampler="lcm", schedule=schedule) == ("schedule", "SAMPLER_OPTION_NOT_SERVED")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"sampler": "euler_karras", "schedule": "beta"}, "schedule"),
        ({"sampler": "DPM++ 2M Beta", "schedule": "karras"}, "schedule"),
        ({"schedule": "simple", "timestep_spacing": "leading"}, "timestep_spacing"),
        ({"sampler": "euler", "timesteps": (9, 1), "schedule": "karras"}, "timesteps"),
        ({"sampler": "euler_karras", "timesteps": (9, 1)}, "timesteps"),
        ({"sampler": "euler", "sigmas": (9.0, 0.0), "timestep_spacing": "leading"}, "sigmas"),
        ({"sampler": "euler", "sigmas": (9.0, 0.0), "timesteps": (9,)}, "sigmas"),
        ({"sampler": "dpmpp_2m_karras", "timestep_spacing": "trailing"}, "timestep_spacing"),
        (
            {"sampler": "unipc", "schedule": "beta", "timestep_spacing": "trailing"},
            "timestep_spacing",
        ),
    ],
)
def test_contradictions_are_refused(said: dict[str, Any], field: str) -> None:
    """Two fields that say differently how the steps lie."""
    assert refusal(**said) == (field, "SCHEDULE_CONTRADICTED")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"timesteps": (1, 999)}, ("timesteps[1]", "SCHEDULE_OUT_OF_ORDER")),
        ({"timesteps": (999, 500, 500)}, ("timesteps[2]", "SCHEDULE_OUT_OF_ORDER")),
        ({"timesteps": (1000, 1)}, ("timesteps", "SCHEDULE_OUT_OF_RANGE")),
        ({"timesteps": (999, 1), "steps": 3}, ("timesteps", "STEPS_MISMATCH")),
        ({"sigmas": (1.0, 2.0, 0.0)}, ("sigmas[1]", "SCHEDULE_OUT_OF_ORDER")),
        ({"sigmas": (math.nan, 0.0)}, ("sigmas", "SCHEDULE_OUT_OF_RANGE")),
        ({"sigmas": (math.inf, 0.0)}, ("sigmas", "SCHEDULE_OUT_OF_RANGE")),
        ({"sigmas": (14.0, -1.0)}, ("sigmas", "SCHEDULE_OUT_OF_RANGE")),
        ({"sigmas": (1e9, 0.0)}, ("sigmas", "SCHEDULE_OUT_OF_RANGE")),
        ({"sigmas": (14.0, 1.0, 0.0), "steps": 3}, ("sigmas", "STEPS_MISMATCH")),
        ({"sigmas": (14.0,)}, ("sigmas", "STEPS_MISMATCH")),
    ],
)
def test_lists_that_cannot_be(said: dict[str, Any], found: tuple[str, str]) -> None:
    """Out of order, out of range, or of another length than was said."""
    assert refusal(sampler="euler", **said) == found


@pytest.mark.parametrize("eta", [-0.1, 1.5, math.nan, math.inf])
def test_eta_that_cannot_be(eta: float) -> None:
    """From 0 to 1, where diffusers itself only asserts."""
    assert refusal(sampler="tcd", eta=eta) == ("eta", "ETA_OUT_OF_RANGE")


def test_heun_counts_its_steps_twice_over_a_picture() -> None:
    """Where diffusers begins in the wrong place, nothing is drawn."""
    said = {"sampler": "heun", "timesteps": (900, 500, 100)}

    assert read(**said)[0] == "heun"
    assert refusal(**said, image=b"x") == ("timesteps", "SAMPLER_OPTION_NOT_SERVED")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("schedule", "karas", "SCHEDULE_UNKNOWN"),
        ("schedule", "Turbo", "SCHEDULE_NOT_SERVED"),
        ("timestep_spacing", "tail", "TIMESTEP_SPACING_UNKNOWN"),
        ("sampler", "magic", "UNKNOWN_SAMPLER"),
        ("sampler", "DPM fast", "SAMPLER_NOT_SERVED"),
    ],
)
def test_names_that_mean_nothing(field: str, value: str, reason: str) -> None:
    """Are refused at their field."""
    assert refusal(**{field: value}) == (field, reason)


WORDS = st.sampled_from(
    (
        *(*SAMPLERS, *SCHEDULES, *TIMESTEP_SPACINGS),
        *("DPM++", "2M", "SDE", "Euler", "a", "Karras", "Exponential", "SGM", "Uniform", "DDIM"),
    )
)
SPELLINGS = st.text(max_size=20) | st.lists(WORDS, max_size=4).map(" ".join)


@given(sampler=SPELLINGS, schedule=SPELLINGS, spacing=SPELLINGS)
def test_any_spelling_is_read_or_refused_at_its_field(
    sampler: str, schedule: str, spacing: str
) -> None:
    """With what can be said instead; and what was read is read again as it is."""
    said = {"sampler": sampler, "schedule": schedule, "timestep_spacing": spacing}

    try:
        found, walk = read(**said)
    except InvalidRequest as refused:
        assert all(one.field in said and one.reason and one.hint for one in refused.violations)
    else:
        again = {"schedule": walk.schedule, "timestep_spacing": walk.timestep_spacing}
        assert read(sampler=found, **again) == (found, walk)


@given(
    timesteps=st.lists(st.integers(-2, 1002), max_size=6).map(tuple),
    sigmas=st.lists(st.floats(), max_size=6).map(tuple),
    steps=st.none() | st.integers(1, 6),
)
def test_any_list_falls_or_is_refused_at_its_field(
    timesteps: tuple[int, ...], sigmas: tuple[float, ...], steps: int | None
) -> None:
    """No list that rises, repeats itself or is of another length is ever walked."""
    for name, listed in (("timesteps", timesteps), ("sigmas", sigmas)):
        try:
            _, walk = read(sampler="euler", steps=steps, **{name: listed})
        except InvalidRequest as refused:
            fields = {one.field.partition("[")[0] for one in refused.violations}
            assert fields <= {name, "num_inference_steps"}
        else:
            assert getattr(walk, name) == listed
            assert all(high > low for high, low in itertools.pairwise(listed))
            length = len(listed) - (name == "sigmas")
            assert not listed or steps in (None, length)


def _flow(**said: Any) -> tuple[str, Walk]:
    return flow_reader().read(WantedDrawing(prompt="x", **said))


def _flow_refusal(**said: Any) -> Violation:
    with pytest.raises(InvalidRequest) as caught:
        _flow(**said)
    (violation,) = caught.value.violations
    assert violation.hint
    return violation


def test_flow_takes_what_diffusers_takes() -> None:
    """Bent sigmas and lists of them, where a flow has them; the same names as elsewhere."""
    told = {one.name: one for one in flow_reader().options()}

    assert list(told) == list(FLOW_SAMPLERS)
    for name in ("euler", "lcm"):
        assert told[name].schedules == ("karras", "exponential", "beta")
    assert {name for name, one in told.items() if one.takes == ("sigmas",)} == {
        *("euler", "lcm", "unipc")
    }
    assert not any(one.timestep_spacings for one in told.values())
    assert _flow(sampler="Euler Beta") == ("euler", Walk(schedule="beta"))
    assert _flow(sigmas=(1.0, 0.5, 0.0)) == ("euler", Walk(sigmas=(1.0, 0.5, 0.0)))


@pytest.mark.parametrize(
    ("said", "field", "reason"),
    [
        ({"sampler": "euler_a"}, "sampler", "SAMPLER_NOT_SERVED"),
        ({"sampler": "FlowMatch Euler"}, "sampler", "SAMPLER_NOT_SERVED"),
        ({"timestep_spacing": "trailing"}, "timestep_spacing", "SAMPLER_OPTION_NOT_SERVED"),
        ({"schedule": "simple"}, "schedule", "SAMPLER_OPTION_NOT_SERVED"),
        (
            {"schedule": "beta", "timestep_spacing": "trailing"},
            "timestep_spacing",
            "SAMPLER_OPTION_NOT_SERVED",
        ),
        ({"sampler": "unipc", "schedule": "karras"}, "schedule", "SAMPLER_OPTION_NOT_SERVED"),
        ({"timesteps": (999, 499)}, "timesteps", "SAMPLER_OPTION_NOT_SERVED"),
        ({"sampler": "heun", "sigmas": (1.0, 0.0)}, "sigmas", "SAMPLER_OPTION_NOT_SERVED"),
        ({"eta": 0.5}, "eta", "SAMPLER_OPTION_NOT_SERVED"),
        ({"sigmas": (14.6, 0.0)}, "sigmas", "SCHEDULE_OUT_OF_RANGE"),
        ({"sigmas": (1.0, 0.5)}, "sigmas[1]", "SCHEDULE_OUT_OF_RANGE"),
        ({"sigmas": (0.5, 0.9, 0.0)}, "sigmas[1]", "SCHEDULE_OUT_OF_ORDER"),
    ],
)
def test_flow_refuses_by_field(said: dict[str, Any], field: str, reason: str) -> None:
    """What no flow can be told, with what can be said instead."""
    found = _flow_refusal(**said)

    assert (found.field, found.reason) == (field, reason)
