# SPDX-License-Identifier: Apache-2.0
"""The values of a canary."""

from typing import Any

import pytest

from tabard_registry import sha256_bytes
from tabard_registry.release.canary import (
    Canary,
    CanaryFigures,
    CanaryTerms,
    Observation,
    fresh_of,
)
from tabard_registry.release.health import Told
from tests.registry.canary_acts import complaint, pair

ONE, TWO = sha256_bytes(b"1"), sha256_bytes(b"2")


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "pair", "unit": "a", "difference": None},
        {"kind": "pair", "unit": "a", "difference": float("nan")},
        {"kind": "pair", "unit": "a", "difference": True},
        {"kind": "pair", "unit": "", "difference": 0.0},
        {"kind": "pair", "unit": "a" * 65, "difference": 0.0},
        {"kind": "pair", "unit": "a", "difference": 0.0, "candidate_is_broken": 1},
        {"kind": "complaint", "unit": "a", "share": 0.0},
        {"kind": "complaint", "unit": "a", "share": 1},
        {"kind": "rumour", "unit": "a"},
    ],
)
def test_what_is_no_observation(said: dict[str, Any]) -> None:
    """Silence is no evidence, and neither is a complaint where there is one release."""
    with pytest.raises(ValueError):
        Observation(**said)


@pytest.mark.parametrize(
    "one",
    [
        pair("a", -0.1234567890123),
        pair("a", None, candidate_is_broken=True),
        pair("a", 0.5, baseline_is_broken=True),
        complaint("a", is_loss=False, share=0.25),
        Observation(kind="vote", unit="p", is_loss=True),
    ],
)
def test_observation_is_read_as_written(one: Observation) -> None:
    """Each kind."""
    assert Observation.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    "said",
    [
        {"e_value": float("inf")},
        {"e_value": -1.0},
        {"losses": 3, "units": 2},
        {"losses": 0.5, "units": 2},
        {"worst": tuple(pair(f"{n}") for n in range(6))},
        {"worst": (complaint("a"),)},
        {"streams": {"soft": (1, 2, "3")}},
    ],
)
def test_what_are_no_figures(said: dict[str, Any]) -> None:
    """A record is refused that holds something else."""
    with pytest.raises(ValueError):
        CanaryFigures(**said)


def test_figures_are_read_as_written() -> None:
    """With their streams and worst pairs."""
    figures = CanaryFigures(
        e_value=2.5, losses=1, units=4, streams={"soft": (1, 2, 1.5)}, worst=(pair("a", -0.5),)
    )

    assert CanaryFigures.from_json(figures.to_json()) == figures


@pytest.mark.parametrize(
    "said",
    [
        {"baseline": ONE},
        {"shares": (0.5, 0.25)},
        {"shares": (0.25, 0.25)},
        {"shares": (0.0,)},
        {"shares": (1.0,)},
        {"shares": tuple(n / 10 for n in range(1, 10))},
        {"policy": {"units_max": 1_001}},
        {"policy": {"complaints_max": 0}},
        {"policy": {"alpha": "small"}},
        {"policy": {f"{n}": 1 for n in range(33)}},
        {"salt": "s" * 65},
    ],
)
def test_what_are_no_terms(said: dict[str, Any]) -> None:
    """Terms are fixed at the start, and bounded."""
    with pytest.raises(ValueError):
        CanaryTerms(**{"candidate": ONE, "baseline": TWO, **said})


def test_votes_have_room_of_their_own() -> None:
    """A unit is counted once within its kind, and no kind takes the room of another."""
    terms = CanaryTerms(candidate=ONE, baseline=TWO, policy={"units_max": 1, "complaints_max": 1})
    canary = Canary(
        channel="stable",
        terms=terms,
        started=Told(seq=1, time="", actor="ann"),
        seen=(pair("a"),),
    )
    vote = Observation(kind="vote", unit="a")

    assert fresh_of(canary, (pair("b"), complaint("a"), complaint("b"), vote, vote)) == (
        complaint("a"),
        vote,
    )
