# SPDX-License-Identifier: Apache-2.0
"""How a picture is guided: what each kind of base knows, and what is refused on it."""

import math
from dataclasses import replace
from typing import Any

import pytest

from tabard_server.admission.bounds.guidance import GuidanceReader
from tabard_server.engine_port.base_facts import DISTILLED_SCALE, Guidance
from tabard_server.engine_port.drawing import SkippedLayers, WantedDrawing
from tabard_server.errors import Violation
from tabard_server.settings import Defaults
from tests.server.fakes import BASE_FACTS

USUAL = SkippedLayers(layers=(7, 8, 9))


def reader(kind: Guidance = "classifier_free", *, layers: int = 24) -> GuidanceReader:
    """A base that is guided so."""
    facts = replace(BASE_FACTS, guidance=kind, skippable_blocks=layers)
    return GuidanceReader(facts=facts, defaults=Defaults(guidance_scale=6.0), scale_max=50.0)


def refusals(kind: Guidance = "classifier_free", *, layers: int = 24, **said: Any) -> set[str]:
    """The reasons and fields of all that is wrong."""
    found: list[Violation] = reader(kind, layers=layers).check(WantedDrawing(prompt="x", **said))
    assert all(one.hint for one in found)
    return {f"{one.field}: {one.reason}" for one in found}


@pytest.mark.parametrize(
    ("kind", "scale", "is_guided"),
    [("classifier_free", 6.0, True), ("distilled", DISTILLED_SCALE, False), ("none", 1.0, False)],
)
def test_nothing_said_is_usual(kind: Guidance, scale: float, is_guided: bool) -> None:
    """Each kind of base has a scale of its own, and one kind a second sample."""
    wanted = WantedDrawing(prompt="x")

    assert reader(kind).scale_of(wanted) == scale
    assert reader(kind).is_guided(wanted) == is_guided
    assert not reader(kind).check(wanted)


def test_distilled_base_reads_the_scale() -> None:
    """What is said is what it is told, whatever it is, and no second sample is drawn."""
    wanted = WantedDrawing(prompt="x", guidance_scale=9.0)

    assert reader("distilled").scale_of(wanted) == 9.0
    assert not reader("distilled").is_guided(wanted)


@pytest.mark.parametrize("kind", ["distilled", "none"])
def test_negative_prompt_needs_a_second_sample(kind: Guidance) -> None:
    """It would be told to nobody."""
    assert refusals(kind, negative_prompt="blue") == {"negative_prompt: GUIDANCE_NOT_SERVED"}
    assert not refusals(negative_prompt="blue")


@pytest.mark.parametrize(("scale", "is_refused"), [(0.0, False), (1.0, False), (3.5, True)])
def test_unguided_base_takes_no_scale(scale: float, is_refused: bool) -> None:
    """But those that mean that there is none."""
    found = refusals("none", guidance_scale=scale)

    assert found == ({"guidance_scale: GUIDANCE_NOT_SERVED"} if is_refused else set())


@pytest.mark.parametrize("scale", [-0.1, 50.1, math.nan, math.inf])
@pytest.mark.parametrize("kind", ["classifier_free", "distilled"])
def test_scale_is_bounded(kind: Guidance, scale: float) -> None:
    """On every base that reads it."""
    assert refusals(kind, guidance_scale=scale) == {"guidance_scale: GUIDANCE_OUT_OF_RANGE"}


def test_layers_are_skipped_where_they_can_be() -> None:
    """By bases that have such layers, with guidance."""
    refused = {"skip_guidance_layers: SKIP_LAYERS_NOT_SERVED"}

    assert not refusals(skipped=USUAL)
    assert refusals(skipped=USUAL, layers=0) == refused
    assert refusals(skipped=USUAL, guidance_scale=1.0) == refused


@pytest.mark.parametrize(
    "said",
    [
        {"layers": ()},
        {"layers": (24,)},
        {"layers": tuple(range(24))},
        {"scale": -1.0},
        {"scale": math.nan},
        {"scale": 1000.0},
        {"start": 0.5, "stop": 0.4},
        {"stop": 1.5},
        {"start": math.nan},
    ],
)
def test_skipped_layers_are_bounded(said: dict[str, Any]) -> None:
    """Layers that there are, and shares of the steps in order."""
    skipped = SkippedLayers(**{"layers": (7, 8, 9), **said})

    assert refusals(skipped=skipped) == {"skip_guidance_layers: SKIP_LAYERS_OUT_OF_RANGE"}
