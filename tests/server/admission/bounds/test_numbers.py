# SPDX-License-Identifier: Apache-2.0
"""Numbers of a request: what is filled in, and what is refused with advice that helps."""

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from tabard_server.admission.bounds.numbers import Bounds
from tabard_server.admission.bounds.sizes import Sizes
from tabard_server.engine_port.drawing import Drawing, Picture, WantedDrawing
from tabard_server.engine_port.prompt_style import PLAIN
from tabard_server.engine_port.regions import Region
from tabard_server.errors import InvalidRequest, Violation
from tabard_server.jobs.job import JobSpec
from tabard_server.limits import Limits
from tabard_server.settings import Defaults
from tests.server.drawings import bounds_of, picture_of
from tests.server.drawings import drawing as drawing_of
from tests.server.engine_port.known_work import WORK
from tests.server.fakes import BASE_FACTS

SIZES = {"original_size": (128, 64), "crop_top_left": (0, 8), "target_size": (64, 64)}


def check(bounds: Bounds, **said: Any) -> list[Violation]:
    return bounds.check(JobSpec(wanted=WantedDrawing(prompt="x", **said)))


def draw(bounds: Bounds, *, picture: Picture | None = None, **said: Any) -> Drawing:
    """Return what a request is drawn as that has nothing wrong in it."""
    assert not check(bounds, **said)
    wanted = WantedDrawing(prompt="<lora:a/b>x", **said)
    return bounds.draw(
        wanted,
        prompt="x",
        negative_prompt=wanted.negative_prompt,
        style=PLAIN,
        sampler="ddim",
        picture=picture,
    )


def refusal_of(bounds: Bounds, **said: Any) -> Violation:
    """Return the one thing that is wrong."""
    (violation,) = check(bounds, **said)
    assert violation.hint
    return violation


def test_nothing_said_is_the_default() -> None:
    """A request without numbers is drawn at the base's size, whole, from noise."""
    drawing = draw(bounds_of())

    assert (drawing.size, drawing.clip_skip, drawing.strength) == ((64, 48), 0, None)


def test_all_that_was_asked_for_is_drawn() -> None:
    """No field of a drawing is left at its default when the request says otherwise."""
    said = {"negative_prompt": "blur", "steps": 7, "guidance_scale": 2.0, "width": 32, "height": 16}
    said |= {"clip_skip": 2, "strength": 0.5, "image": b"image", **SIZES}
    picture = picture_of(np.zeros((16, 32, 3), dtype=np.uint8))

    drawing = draw(bounds_of("sdxl"), picture=picture, **said)

    said |= {"guidance": "classifier_free", "skipped": None}
    silent = {"prompt", "sampler", "walk", "style", "picture", "regions"}
    names = {field.name for field in fields(Drawing)} - silent
    assert {name: getattr(drawing, name) for name in names} == {name: said[name] for name in names}
    assert (drawing.prompt, drawing.picture) == ("x", picture)


@pytest.mark.parametrize(
    ("said", "steps"), [({"timesteps": (9, 5, 1)}, 3), ({"sigmas": (9.0, 1.0, 0.0)}, 2)]
)
def test_list_of_steps_stands_for_their_number(said: dict[str, Any], steps: int) -> None:
    """The last sigma is where the walk ends."""
    assert draw(bounds_of(), **said).steps == steps


@pytest.mark.parametrize("skip", [0, 3])
def test_clip_skip_within_the_base(skip: int) -> None:
    """As many layers may be left out as the base can spare."""
    assert draw(bounds_of(), clip_skip=skip).clip_skip == skip


def test_clip_skip_beyond_the_base() -> None:
    """One more is refused, and the advice names A1111's number."""
    violation = refusal_of(bounds_of(), clip_skip=4)

    assert (violation.field, violation.reason) == ("clip_skip", "CLIP_SKIP_OUT_OF_RANGE")
    assert "0 to 3" in violation.description
    assert "A1111" in violation.hint


@pytest.mark.parametrize(("mask", "strength"), [(None, 0.8), (b"mask", 1.0)])
def test_strength_defaults_as_in_diffusers(mask: bytes | None, strength: float) -> None:
    """0.8 of a picture is redrawn; of a masked part, all."""
    picture = picture_of(np.zeros((48, 64, 3), dtype=np.uint8))

    drawing = draw(bounds_of(), picture=picture, image=b"image", mask_image=mask)

    assert drawing.strength == strength


@pytest.mark.parametrize("strength", [0.0, -0.5, 1.01, math.nan, math.inf])
def test_strength_out_of_range(strength: float) -> None:
    """Strength is above 0 and at most 1."""
    violation = refusal_of(bounds_of(), image=b"image", strength=strength)

    assert (violation.field, violation.reason) == ("strength", "STRENGTH_OUT_OF_RANGE")


def test_strength_that_leaves_no_step() -> None:
    """A strength is refused with one that would do, before anything is drawn."""
    bounds = bounds_of()

    violation = refusal_of(bounds, image=b"image", strength=0.1, steps=9)

    assert violation.reason == "STRENGTH_TOO_SMALL"
    assert "0.11" in violation.hint
    assert not check(bounds, image=b"image", strength=0.12, steps=9)


@pytest.mark.parametrize("said", [{"strength": 0.5}, {"mask_image": b"mask"}])
def test_words_about_no_image(said: dict[str, Any]) -> None:
    """A strength or a mask without a picture is a mistake, not noise."""
    violation = refusal_of(bounds_of(), **said)

    assert (violation.field, violation.reason) == (next(iter(said)), "IMAGE_MISSING")


@pytest.mark.parametrize("field", sorted(SIZES))
def test_sizes_are_told_to_sdxl_only(field: str) -> None:
    """Another base does not hear them, so they are refused rather than dropped."""
    said = {field: SIZES[field]}

    violation = refusal_of(bounds_of("sd2"), **said)

    assert (violation.field, violation.reason) == (field, "SIZES_NOT_SERVED")
    assert not check(bounds_of("sdxl"), **said)


@pytest.mark.parametrize(
    ("field", "pair"),
    [("original_size", (0, 64)), ("crop_top_left", (0, 16_385)), ("target_size", (64, 16_385))],
)
def test_sizes_are_bounded(field: str, pair: tuple[int, int]) -> None:
    """What SDXL is told has a limit with a name."""
    violation = refusal_of(bounds_of("sdxl"), **{field: pair})

    assert (violation.field, violation.reason) == (field, "SIZE_OUT_OF_RANGE")
    assert "told_pixels_max" in violation.hint


def test_picture_gives_the_size() -> None:
    """Where a request says no size, its picture does, rounded down to what can be drawn."""
    bounds = bounds_of()
    wanted = WantedDrawing(prompt="x", image=b"image")

    size = bounds.size_of_picture(wanted, sent=(100, 95))
    drawing = draw(bounds, picture=picture_of(np.zeros((80, 96, 3), np.uint8)), image=b"image")

    assert drawing.size == size == (96, 80)
    assert not bounds.check(JobSpec(wanted=wanted), picture_size=size)


def test_said_size_goes_before_the_picture() -> None:
    """Both sides said: the picture is resized to them."""
    wanted = WantedDrawing(prompt="x", image=b"image", width=32, height=64)

    assert bounds_of().size_of_picture(wanted, sent=(100, 95)) == (32, 64)


@pytest.mark.parametrize("said", [{"width": 64}, {"height": 64}])
def test_one_side_is_not_a_size(said: dict[str, int]) -> None:
    """One side alone would bend the picture by surprise."""
    with pytest.raises(InvalidRequest) as caught:
        bounds_of().size_of_picture(WantedDrawing(prompt="x", **said), sent=(64, 64))

    assert caught.value.reason == "SIZE_INCOMPLETE"


@pytest.mark.parametrize("sent", [(4000, 3000), (3, 5), (9000, 4), (2, 9000), (1024, 1100)])
def test_advised_size_can_be_drawn(sent: tuple[int, int]) -> None:
    """A photo too large, or a picture too small, is told a size of its shape that works."""
    bounds = bounds_of()
    with pytest.raises(InvalidRequest) as caught:
        bounds.size_of_picture(WantedDrawing(prompt="x"), sent=sent)

    numbers = [int(word) for word in caught.value.hint.replace(",", "").split() if word.isdigit()]
    assert caught.value.reason == "IMAGE_SIZE_NOT_DRAWABLE"
    assert len(numbers) == 2
    width, height = numbers
    assert not bounds.check_size(WantedDrawing(prompt="x"), (width, height))


def test_parts_are_weighed_like_rows() -> None:
    """A picture that could be drawn whole may be too slow in parts; fewer would do."""
    parts = tuple(Region(name=n, shares=np.ones((6, 8)), prompt="") for n in ("", "a", "b"))
    size = (64, 48)
    two, six = (WORK.step.seconds(size, samples=count) for count in (2, 6))
    facts = replace(BASE_FACTS, native_height=16, native_width=16)
    limits = Limits(step_seconds_max=(two + six) / 2)
    sizes = Sizes(facts=facts, limits=limits, work=lambda: replace(WORK, native=(16, 16)))
    bounds = Bounds(family="sd1", facts=facts, sizes=sizes, limits=limits, defaults=Defaults())
    asked = drawing_of(width=64, height=48)

    (violation,) = bounds.check_parts(replace(asked, regions=parts))

    assert (violation.field, violation.reason) == ("regions", "SIZE_TOO_SLOW")
    assert "in 3 parts" in violation.description
    assert violation.hint.startswith("have fewer regions, or use ")
    assert bounds.check_parts(asked) == bounds.check_parts(replace(asked, regions=parts[:1])) == []
