# SPDX-License-Identifier: Apache-2.0
"""What fits is allowed or chosen, and what does not is refused by its parts."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tabard_server.engine_port.errors import MemoryTooSmall
from tabard_server.engine_port.memory import (
    ROWS_PER_STEP,
    MemoryPlan,
    PassBytes,
    Tiling,
    choose_plan,
)
from tabard_server.engine_port.work import Curve

PLAN = MemoryPlan(base=10, slots=20, merged=30, gathered=5, activations=35, free=100)


def plans(free: int | None) -> Callable[[int, bool], MemoryPlan]:
    """Return plans of 100 for the base, 50 for a copy and 10 for each row."""

    def plan_of(rows: int, has_copy: bool) -> MemoryPlan:
        return MemoryPlan(
            base=100,
            slots=0,
            merged=50 * has_copy,
            gathered=0,
            activations=10 * rows,
            free=free,
            rows_per_step=rows,
        )

    return plan_of


def test_what_fits_is_allowed() -> None:
    """All that there is may be used, and where nobody knows what there is, nothing is refused."""
    PLAN.require()
    replace(PLAN, free=None, base=1 << 60).require()


def test_what_does_not_fit_is_refused_by_parts() -> None:
    """The refusal says how much of what, and which settings would help."""
    with pytest.raises(MemoryTooSmall) as caught:
        replace(PLAN, free=99).require()

    assert all(name in str(caught.value) for name in ("base", "slots", "merged", "activations"))
    assert "slot_rank_total" in caught.value.hint


@pytest.mark.parametrize(
    ("free", "rows", "has_copy"),
    [
        (None, ROWS_PER_STEP, True),
        (230, 8, True),
        (229, 7, True),
        (190, 4, True),
        (189, 8, False),
        (120, 2, False),
        (110, 1, False),
    ],
)
def test_rows_and_copy_are_chosen(free: int | None, rows: int, has_copy: bool) -> None:
    """As many rows as fit beside the copy, but a handful at least; else as many without it."""
    plan = choose_plan(plans(free), rows=None, has_copy=None)

    assert plan.fits
    assert (plan.rows_per_step, plan.merged > 0) == (rows, has_copy)
    assert plan.chosen == ("limits.rows_per_step_max", "merged_copy")


@pytest.mark.parametrize(
    ("free", "rows", "has_copy", "found", "chosen"),
    [
        (160, None, True, (1, True), ("limits.rows_per_step_max",)),
        (160, None, False, (6, False), ("limits.rows_per_step_max",)),
        (160, 5, None, (5, False), ("merged_copy",)),
        (1_000, 12, None, (12, True), ("merged_copy",)),
        (1_000, 2, True, (2, True), ()),
    ],
)
def test_what_is_fixed_stays(
    free: int,
    rows: int | None,
    has_copy: bool | None,
    found: tuple[int, bool],
    chosen: tuple[str, ...],
) -> None:
    """Only what nobody said is chosen."""
    plan = choose_plan(plans(free), rows=rows, has_copy=has_copy)

    assert plan.fits
    assert (plan.rows_per_step, plan.merged > 0) == found
    assert plan.chosen == chosen


@pytest.mark.parametrize(
    ("rows", "has_copy", "total", "advice"),
    [
        (None, None, 110, []),
        (8, None, 180, ["rows_per_step_max"]),
        (None, True, 160, ["merged_copy"]),
        (8, True, 230, ["rows_per_step_max", "merged_copy"]),
    ],
)
def test_least_that_is_possible_is_refused(
    rows: int | None, has_copy: bool | None, total: int, advice: list[str]
) -> None:
    """One row without a copy, or what was fixed; the advice names what was fixed."""
    plan = choose_plan(plans(total - 1), rows=rows, has_copy=has_copy)

    assert plan.total == total
    with pytest.raises(MemoryTooSmall) as caught:
        plan.require()
    named = [name for name in ("rows_per_step_max", "merged_copy") if name in caught.value.hint]
    assert named == advice


def test_sizes_are_held_or_not() -> None:
    """A step of any size, or its decoding, must fit where the activations of the plan are."""
    passes = PassBytes(step=Curve(fixed=10.0, linear=1.0), image=Curve(linear=4.0))
    plan = replace(PLAN, passes=passes, free=100)

    assert plan.room == 35
    assert plan.activations_of((2, 3), samples=2) == 24
    assert plan.activations_of((5, 2), samples=1) == 40
    assert plan.holds((2, 4), samples=3) and not plan.holds((2, 4), samples=4)
    assert not plan.holds((5, 2), samples=1)
    assert replace(plan, free=None).holds((9_999, 9_999), samples=99)


@pytest.mark.parametrize(("free", "packed"), [(100, 0), (110, 5), (114, 7), (1_000, 7), (None, 7)])
def test_packed_weights_take_what_is_left(free: int | None, packed: int) -> None:
    """At most half of it, so that larger images than the base's own still fit."""
    plan = replace(PLAN, free=free).packing(7)

    assert plan.packed == packed
    assert plan.fits and plan.total == PLAN.total + packed


@pytest.mark.parametrize(("free", "texts"), [(100, 0), (110, 5), (1_000, 7), (None, 7)])
def test_encoded_prompts_take_what_is_left(free: int | None, texts: int) -> None:
    """At most half of it, like whatever can be made again."""
    plan = replace(PLAN, free=free).keeping_texts(7)

    assert plan.texts == texts
    assert plan.fits and plan.total == PLAN.total + texts


@pytest.mark.parametrize(
    ("free", "is_beside"), [(100, False), (179, False), (180, True), (None, True)]
)
def test_decoding_beside_steps_takes_all_or_nothing(free: int | None, is_beside: bool) -> None:
    """Half of what is left must be enough; larger images are decoded after a step all the same."""
    passes = PassBytes(step=Curve(linear=1.0), image=Curve(linear=10.0))
    plan = replace(PLAN, passes=passes, free=free).decoding_beside((2, 2))

    assert plan.total == PLAN.total + (40 if is_beside else 0)
    assert plan.decodes_beside((2, 2)) is is_beside
    assert not plan.decodes_beside((3, 2))


def test_nothing_is_decoded_beside_steps_unplanned() -> None:
    """Nor where nobody knows what an image takes."""
    assert not PLAN.decodes_beside((1, 1))
    assert not replace(PLAN, passes=PassBytes()).decoding_beside((2, 2)).decodes_beside((2, 2))


def test_measured_passes_replace_the_estimate() -> None:
    """What was seen counts from then on, for the full batch too."""
    seen = PassBytes(step=Curve(linear=2.0))

    plan = replace(PLAN, rows_per_step=3).measured(seen, size=(4, 4))

    assert (plan.activations, plan.passes) == (2 * 3 * 16 * 2, seen)


def test_large_images_cost_a_tile() -> None:
    """Above a size it is the bytes of a tile, and of the picture that is put together."""
    tiling = Tiling(tile=(10, 10), whole_pixels_max=400, pixel_bytes=2)
    passes = PassBytes(image=Curve(fixed=5.0, linear=10.0), tiling=tiling)

    assert passes.of_image((20, 20)) == passes.of((20, 20), samples=1) == 4_005
    assert passes.of_image((20, 21)) == 1_005 + 2 * 420
    assert replace(PLAN, free=5_000, passes=passes).holds((40, 40), samples=1)
    assert not replace(PLAN, free=5_000, passes=replace(passes, tiling=None)).holds(
        (40, 40), samples=1
    )


def with_texts(free: int, *texts: int) -> Callable[[int, bool], MemoryPlan]:
    """The same plans, where text encoders are a part of the base."""
    plan_of = plans(free)
    return lambda rows, has_copy: replace(plan_of(rows, has_copy), texts_movable=texts)


@pytest.mark.parametrize(
    ("free", "shelved", "rows", "has_copy"),
    [
        (110, 0, 1, False),
        # Without 40 of the base: 60, and 80 for eight rows, or 50 for a copy and 40 for four.
        (109, 40, 4, False),
        (150, 0, 5, False),
        (90, 40, 3, False),
        # What visits takes 30, however few rows there are.
        (89, 40, 1, False),
    ],
)
def test_texts_move_where_nothing_else_fits(
    free: int, shelved: int, rows: int, has_copy: bool
) -> None:
    """One row with its texts on the device comes before many without them."""
    plan = choose_plan(with_texts(free, 30, 10), rows=None, has_copy=None)

    assert (plan.shelved, plan.rows_per_step, plan.merged > 0) == (shelved, rows, has_copy)
    assert plan.fits == (free >= 90)


def test_largest_text_visits() -> None:
    """It is there when no step is: both never add up."""
    plan = replace(PLAN, free=None, base=60, texts_movable=(30, 10)).shelving()

    assert (plan.base, plan.shelved, plan.visiting) == (20, 40, 30)
    assert plan.total == 20 + 20 + 30 + 5 + 35
    assert replace(plan, activations=10).total == 20 + 20 + 30 + 5 + 30
    assert replace(plan, free=200, activations=10).room == 200 - (20 + 20 + 30 + 5)
    assert plan.texts_movable == ()
