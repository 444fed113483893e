# SPDX-License-Identifier: Apache-2.0
"""Figures and bounds: what a verdict is, and which of two bounds is the stricter."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry.errors import RegistryError
from tabard_registry.release.bounds import (
    AT_LEAST,
    BOUND_NAMES,
    FAILED,
    INCONCLUSIVE,
    SUCCESS,
    Measurement,
    check_bounds,
    strictest,
)

SERVER = {name: 0.5 for name in BOUND_NAMES} | {"broken_for_person": 1, "broken_to_fail": 2}
GOOD = {"broken": (0, 0), "style": (0.6, 0.8)}


def measured(*unchecked: str, **figures: tuple[float, float]) -> Measurement:
    """A good measurement, but for some figures."""
    return Measurement(figures={**GOOD, **figures}, unchecked=unchecked, bounds=SERVER)


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ({}, SUCCESS),
        ({"style_min": 0.6}, SUCCESS),
        ({"style_min": 0.7}, INCONCLUSIVE),
        ({"style_min": 0.81}, FAILED),
        ({"drift_max": 0.0}, SUCCESS),
    ],
)
def test_bound_takes_the_place_of_the_servers(bounds: dict[str, float], verdict: str) -> None:
    """The same figures, judged by others; what was not asked for is not held against anything."""
    assert measured().verdict(bounds) == verdict
    assert bool(measured().misses(bounds)) == (verdict != SUCCESS)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (measured(broken=(1, 1)), INCONCLUSIVE),
        (measured(broken=(2, 2)), FAILED),
        (measured(worst_prompt=(0.1, 0.1)), INCONCLUSIVE),
        (measured(copies=(1, 1)), INCONCLUSIVE),
        (measured(copies=(0, 0)), SUCCESS),
        (measured("subject"), INCONCLUSIVE),
        (measured("subject", style=(0.1, 0.2)), FAILED),
        (measured(drift=(0.6, 0.9)), FAILED),
        (measured(drift=(0.6, 0.9), drift_of_stable=(0.6, 0.9)), FAILED),
        (
            measured(
                drift=(0.6, 0.9), drift_of_stable=(0.6, 0.9), drift_against_stable=(-0.1, 0.4)
            ),
            SUCCESS,
        ),
        (
            measured(
                drift=(0.6, 0.9), drift_of_stable=(0.1, 0.4), drift_against_stable=(-0.1, 0.4)
            ),
            FAILED,
        ),
        (Measurement(figures={"broken": (0, 0)}, bounds=SERVER), INCONCLUSIVE),
    ],
)
def test_worst_answer_decides(found: Measurement, verdict: str) -> None:
    """What nobody answered is no success, and neither are sound pictures alone."""
    assert found.verdict({}) == verdict


def test_misses_are_said_in_words() -> None:
    """With the figure, the bound and its name."""
    found = measured("subject", broken=(1, 1), drift=(0.7, 0.9)).misses({"style_min": 0.7})

    assert found.split("; ") == [
        "broken is 1, fewer than 1 are asked",
        "style is 0.60 to 0.80, at least 0.7 is asked (style_min)",
        "subject was not checked",
        "drift is 0.70 to 0.90, at most 0.5 is asked (drift_max)",
    ]


def test_measurement_reads_back() -> None:
    """Through JSON, as a record and a checkpoint hold it."""
    found = measured("drift")

    assert Measurement.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    "said",
    [
        {"figures": {"beauty": (0, 1)}},
        {"figures": {"style": (1.0, 0.0)}},
        {"figures": {"style": (0.0, float("nan"))}},
        {"figures": {"style": (0.0,)}},
        {"figures": {"style": (False, True)}},
        {"unchecked": ("beauty",)},
        {"bounds": {"style_min": 0.5}},
    ],
)
def test_malformed_measurements(said: dict[str, Any]) -> None:
    """Names are known, ends are numbers in their order, and all bounds of the server are said."""
    with pytest.raises(RegistryError) as refused:
        Measurement(**{"figures": GOOD, "bounds": SERVER, **said})

    assert refused.value.reason == "FIELD_INVALID"


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ({"beauty_min": 1.0}, "FIELD_INVALID"),
        ({"style_min": "high"}, "FIELD_INVALID"),
        ({"style_min": float("inf")}, "FIELD_INVALID"),
        ({"style_min": True}, "FIELD_INVALID"),
        ({"broken_to_fail": 1.5}, "FIELD_INVALID"),
        ({"broken_for_person": 0}, "POLICY_UNSATISFIABLE"),
        ({"drift_max": -0.1}, "POLICY_UNSATISFIABLE"),
    ],
)
def test_impossible_bounds(bounds: dict[str, Any], reason: str) -> None:
    """An unknown name, no number, or what no release could keep to."""
    with pytest.raises(RegistryError) as refused:
        check_bounds(bounds)

    assert refused.value.reason == reason


def test_strictest_of_several() -> None:
    """Who leaves a bound out asks for the default, which may be the stricter one."""
    lax, strict = {"style_min": 0.3, "drift_max": 0.9}, {"style_min": 0.7}

    assert strictest([lax, strict], defaults=SERVER)["style_min"] == 0.7
    assert strictest([lax, strict], defaults=SERVER)["drift_max"] == 0.5
    assert strictest([lax], defaults=SERVER)["style_min"] == 0.3
    assert strictest([], defaults=SERVER) == SERVER


ENDS = st.tuples(st.floats(-1, 1), st.floats(0, 1)).map(lambda one: (one[0], one[0] + one[1]))


@given(
    st.dictionaries(st.sampled_from(["style", "subject", "diversity", "drift"]), ENDS),
    st.sampled_from(["style_min", "subject_min", "diversity_min", "drift_max"]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_stricter_bound_never_helps(
    figures: dict[str, tuple[float, float]], name: str, one: float, other: float
) -> None:
    """What is no success by a lax bound is none by a strict one."""
    found = Measurement(figures=figures, bounds=SERVER)
    lax, strict = sorted((one, other), reverse=name not in AT_LEAST)

    if found.verdict({name: strict}) == SUCCESS:
        assert found.verdict({name: lax}) == SUCCESS
