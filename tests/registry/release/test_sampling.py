# SPDX-License-Identifier: Apache-2.0
"""How a release wants to be sampled: what can be said, what cannot, and who is believed first."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry.errors import InvalidField
from tabard_registry.release.sampling import NO_SAMPLING, NO_SPAN, Sampling, Span

FULL = {
    "samplers": ["euler", "lcm"],
    "steps": {"min": 1.0, "max": 8.0, "recommended": 4.0},
    "guidance": {"max": 2.0},
    "spacing": "trailing",
    "timesteps": [999, 749, 499, 249],
    "clip_skip": 0,
    "prediction": "epsilon",
    "weight": {"min": 0.5, "recommended": 1.0},
    "enforce": "refuse",
    "sources": ["author", "LCM"],
}


def test_everything_said_survives_json() -> None:
    """A zero is something said; what was not said is not written."""
    read = Sampling.from_json(json.loads(json.dumps(FULL)))

    assert read.to_json() == FULL
    assert Sampling.from_json(read.to_json()) == read
    assert NO_SAMPLING.to_json() == {}


@pytest.mark.parametrize(
    "said",
    [
        "x",
        {"sampler": "euler"},
        {"samplers": "euler"},
        {"samplers": [1]},
        {"samplers": ["x"] * 17},
        {"samplers": ["x\x1b"]},
        {"steps": 4},
        {"steps": {"best": 4}},
        {"steps": {"min": 8, "max": 4}},
        {"steps": {"min": 2, "max": 4, "recommended": 8}},
        {"steps": {"min": 0}},
        {"steps": {"min": 1.5}},
        {"steps": {"min": True}},
        {"steps": {"min": "4"}},
        {"steps": {"min": float("nan")}},
        {"guidance": {"min": -1}},
        {"weight": {"max": 10**400}},
        {"spacing": "even"},
        {"prediction": "velocity"},
        {"enforce": "always"},
        {"enforce": 1},
        {"clip_skip": -1},
        {"clip_skip": 1.5},
        {"timesteps": [1, 999]},
        {"timesteps": [9.5]},
        {"timesteps": list(range(200, 0, -1))},
        {"sigmas": [1.0]},
        {"sigmas": [float("inf"), 0.0]},
        {"timesteps": [9, 1], "sigmas": [9.0, 0.0]},
        {"timesteps": [9, 5, 1], "steps": {"max": 2}},
    ],
)
def test_what_cannot_be_is_refused(said: Any) -> None:
    """With one reason, whatever is wrong."""
    with pytest.raises(InvalidField) as caught:
        Sampling.from_json(said)

    assert caught.value.reason == "SAMPLING_INVALID"
    assert caught.value.hint


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*FULL, "min", "max"]), inner),
    max_leaves=12,
)


@given(_JSON)
def test_anything_is_read_or_refused(said: Any) -> None:
    """And what was read is written and read again."""
    try:
        read = Sampling.from_json(said)
    except InvalidField:
        return
    assert Sampling.from_json(read.to_json()) == read


def test_span_holds_its_ends() -> None:
    """Both bounds are within; without them everything is."""
    span = Span(min=1, max=8)

    assert [span.holds(number) for number in (0, 1, 8, 9)] == [False, True, True, False]
    assert NO_SPAN.holds(10**6)
    assert [str(span), str(Span(min=2)), str(Span(max=3))] == ["1 to 8", "at least 2", "at most 3"]


def test_author_counts_before_the_file() -> None:
    """Word by word; a list of steps stands as a whole."""
    file = Sampling(samplers=("lcm",), timesteps=(999, 1), clip_skip=1).said_by("metadata")
    author = Sampling(samplers=("euler",), sigmas=(9.0, 0.0)).said_by("author")

    both = author.over(file)

    assert (both.samplers, both.sigmas, both.timesteps) == (("euler",), (9.0, 0.0), ())
    assert (both.clip_skip, both.sources) == (1, ("author", "metadata"))
    assert NO_SAMPLING.over(file) == file and file.over(NO_SAMPLING) == file
    assert not Sampling(enforce="refuse")
    assert Sampling(enforce="refuse").over(file).enforce == "refuse"


@pytest.mark.parametrize(
    ("said", "is_few"),
    [
        ({"steps": Span(max=8)}, True),
        ({"steps": Span(recommended=4)}, True),
        ({"timesteps": (999, 499)}, True),
        ({"steps": Span(max=50, recommended=4)}, False),
        ({"samplers": ("lcm",)}, False),
    ],
)
def test_few_steps_are_known_by_their_number(said: dict[str, Any], is_few: bool) -> None:
    """Not by a name."""
    assert Sampling(**said).is_few_step == is_few
