# SPDX-License-Identifier: Apache-2.0
"""Cells are asked for group by group, come as they are done, and end when they are not wanted."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from tabard.errors import ResourceExhausted
from tabard.health.compared import ComparisonPlan, ComparisonSide
from tabard.health.comparison import OPEN_MAX, AsyncComparison, Comparison, Waves
from tabard.result import Accepted, Done, GeneratedImage, GenerateEvent

PATIENCE = 60.0


def plan_of(*, sides: int = 3, prompts: int = 2, seeds: int = 2, **options: Any) -> ComparisonPlan:
    digests = ["sha256:" + f"{number:064x}" for number in range(sides)]
    worn = [
        ComparisonSide(ref="a/b", adapter="a/b", version=f"1.0.{at}", digest=digest, weight=1.0)
        for at, digest in enumerate(digests)
    ]
    return ComparisonPlan(
        sides=tuple(worn),
        prompts=tuple(f"p{at}" for at in range(prompts)),
        seeds=tuple(range(seeds)),
        options=options,
    )


class Studio:
    """Draws when it is told to, and knows how many were asked for at once."""

    def __init__(self, *, is_held: bool = False) -> None:
        self.asked: list[dict[str, Any]] = []
        self.open_max = 0
        self.ended = 0
        self.may_draw = threading.Event()
        self.begun = threading.Semaphore(0)
        self._open = 0
        self._lock = threading.Lock()
        if not is_held:
            self.may_draw.set()

    def stream(self, **request: Any) -> Generator[GenerateEvent, None, None]:
        with self._lock:
            self.asked.append(request)
            self._open += 1
            self.open_max = max(self.open_max, self._open)
        self.begun.release()
        try:
            yield Accepted(job_id="j", worn=(), seeds=(request["seed"],), registry_seq=1,
                           queue_depth=0)  # fmt: skip
            assert self.may_draw.wait(PATIENCE)
            yield GeneratedImage(
                index=0, seed=request["seed"], content=b"png", provenance_json="{}"
            )
            yield Done(queue_ms=0.0, total_ms=0.0)
        finally:
            with self._lock:
                self._open -= 1
                self.ended += 1

    async def astream(self, **request: Any) -> AsyncGenerator[GenerateEvent, None]:
        for event in self.stream(**request):
            await asyncio.sleep(0)
            yield event


def test_groups_go_out_whole() -> None:
    """No side of a prompt and seed is asked for without the others, nor more than there is room."""
    waves, sides = Waves(plan_of(sides=5, prompts=2, seeds=2)), 5

    first = waves.take(open_count=0)
    none = waves.take(open_count=len(first))
    second = waves.take(open_count=OPEN_MAX - sides)

    assert len(first) == 2 * sides and len({(one.template, one.seed) for one in first}) == 2
    assert none == []
    assert len(second) == sides and len({(one.template, one.seed) for one in second}) == 1


def test_large_group_is_parted() -> None:
    """More sides than are open at once still go out."""
    waves = Waves(plan_of(sides=OPEN_MAX + 3, prompts=1, seeds=1))

    taken = [len(waves.take(open_count=0)) for _ in range(3)]

    assert taken == [OPEN_MAX, 3, 0]


def test_everything_is_drawn_in_order() -> None:
    """The result has each cell once, as the grid has them, and says the options."""
    studio, plan = Studio(), plan_of(num_inference_steps=4)

    found = Comparison(plan, stream=studio.stream).result()

    assert [one.cell for one in found] == list(plan.cells)
    assert [one.image.seed for one in found] == [one.seed for one in plan.cells]
    assert studio.open_max <= OPEN_MAX
    assert {one["num_inference_steps"] for one in studio.asked} == {4}
    assert {one["adapters"] for one in studio.asked} == {one.stack for one in plan.sides}


def test_nothing_is_drawn_before_it_is_asked_for() -> None:
    """What is there already is left out, and cannot be once drawing has begun."""
    studio, plan = Studio(), plan_of(sides=1)
    comparison = Comparison(plan, stream=studio.stream)
    assert studio.asked == []

    comparison.leave_out(plan.cells[1:])
    found = comparison.result()

    assert [one.cell for one in found] == [plan.cells[0]]
    assert len(studio.asked) == 1
    with pytest.raises(ValueError, match="before the first"):
        comparison.leave_out(plan.cells)


def test_failure_ends_the_others() -> None:
    """The first failure is raised, and nothing more is asked for."""
    studio, plan = Studio(is_held=True), plan_of(sides=6, prompts=9)
    first = plan.cells[0]

    def stream(**request: Any) -> Generator[GenerateEvent, None, None]:
        said = (request["prompt"], request["seed"], request["adapters"])
        if said == (first.prompt, first.seed, first.side.stack):
            for _ in range(OPEN_MAX - 1):
                assert studio.begun.acquire(timeout=PATIENCE)
            raise ResourceExhausted("full", reason="QUEUE_FULL")
        return (yield from studio.stream(**request))

    comparison = Comparison(plan, stream=stream)

    with pytest.raises(ResourceExhausted):
        next(comparison)
    studio.may_draw.set()

    assert list(comparison) == []
    assert len(studio.asked) == OPEN_MAX - 1


def test_closing_ends_what_is_under_way() -> None:
    """Those that were asked for are left at their next event, the others are never asked for."""
    studio = Studio(is_held=True)
    comparison = Comparison(plan_of(sides=6, prompts=9), stream=studio.stream)
    waiting = threading.Thread(target=lambda: list(comparison))
    waiting.start()
    for _ in range(OPEN_MAX):
        assert studio.begun.acquire(timeout=PATIENCE)

    comparison.close()
    studio.may_draw.set()
    waiting.join(PATIENCE)

    assert not waiting.is_alive()
    assert len(studio.asked) == OPEN_MAX


def test_async_comparison_draws_the_same() -> None:
    """The same cells in the same order, no more at once, and a failure ends them."""
    studio, plan = Studio(), plan_of(sides=4, prompts=3)

    async def draw() -> list[Any]:
        comparison = AsyncComparison(plan, stream=studio.astream)
        comparison.leave_out(plan.cells[:4])
        return [one.cell for one in await comparison.result()]

    assert asyncio.run(draw()) == list(plan.cells[4:])
    assert studio.open_max <= OPEN_MAX


def test_async_failure_ends_the_others() -> None:
    """Nobody waits for what is not wanted any more."""
    cancelled = []

    async def stream(**request: Any) -> AsyncGenerator[GenerateEvent, None]:
        if request["seed"] == 0:
            await asyncio.sleep(0)
            raise ResourceExhausted("full", reason="QUEUE_FULL")
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            cancelled.append(request["seed"])
            raise
        yield Done(queue_ms=0.0, total_ms=0.0)

    async def draw() -> None:
        comparison = AsyncComparison(plan_of(sides=1, prompts=1), stream=stream)
        with pytest.raises(ResourceExhausted):
            await comparison.result()
        await comparison.close()

    asyncio.run(draw())
    assert cancelled == [1]
