# SPDX-License-Identifier: Apache-2.0
"""Canaries from their start to their verdict, on a server whose engine paints."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabard_registry import AdapterRef, Author
from tabard_registry.release.gates import Gate
from tabard_server.canary import calibrating, conductor
from tests.server.canary.painted import (
    BROKEN,
    EQUAL,
    GOOD,
    LINE,
    LOST,
    canary_of,
    let_callers_draw,
    paint,
    prepare,
    promote_by_itself,
    start,
)
from tests.server.harness import Server, pixels_of, serving, small_limits, until

SOON: dict[str, Any] = {"loss_rate_max": 0.5, "broken_rate_max": 0.3}
"""Terms under which equals succeed after a few prompts; by its own terms a canary asks for 88."""


@pytest.mark.parametrize("bad", [LOST, BROKEN])
def test_bad_release_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    """It was promoted; callers draw; the same record says why and moves the channel."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server, stable=bad)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{bad}")

            drawing = asyncio.ensure_future(let_callers_draw(server, prompts=500))
            await until(lambda: not canary_of(server).is_open)
            await drawing

            canary = canary_of(server)
            line = server.app.registry.state.adapter(LINE)
            assert canary.verdict == "rolled_back"
            assert canary.figures.e_value >= 100
            assert len(canary.figures.worst) == 5
            assert str(line.channels["stable"].version) == GOOD

    asyncio.run(walk())


@pytest.mark.parametrize("promotes", [True, False])
def test_equal_release_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promotes: bool
) -> None:
    """Only where the policy says so does the channel go there."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            paint(server, monkeypatch)
            if promotes:
                promote_by_itself(server)
            start(server, f"{LINE}@{EQUAL}", policy=SOON)

            await _draw_until_judged(server)

            canary = canary_of(server)
            assert (canary.verdict, canary.figures.losses) == ("success", 0)
            assert _stable(server) == (EQUAL if promotes else GOOD)

    asyncio.run(walk())


def test_policy_of_the_day_decides_about_a_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that was set while it ran is asked: the channel stays, and people are."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            paint(server, monkeypatch)
            promote_by_itself(server)
            start(server, f"{LINE}@{EQUAL}", policy=SOON)
            await let_callers_draw(server, prompts=3)
            registry, ann = server.app.registry, Author(actor="ann")
            gate = Gate(reviews=1, promote_on_success=True)
            registry.set_policy("acme", channels={"stable": gate}, author=ann)

            drawing = asyncio.ensure_future(let_callers_draw(server, prompts=1_000, begin=3))
            await until(lambda: canary_of(server).is_held)
            drawing.cancel()

            assert "it cannot be done: stable asks more" in canary_of(server).said
            assert _stable(server) == GOOD

    asyncio.run(walk())


def test_bad_candidate_reaches_nobody_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found in the shadow: callers wear the release that the channel points to."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{LOST}", shares=(0.05, 0.5))

            told = await _draw_until_judged(server)

            assert canary_of(server).verdict == "rolled_back"
            assert {one.worn[0].version for one in _accepted(told)} == {GOOD}
            assert _stable(server) == GOOD

    asyncio.run(walk())


def test_exposure_rises_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each share is earned by judged prompts, and none is left out."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            paint(server, monkeypatch)
            policy = {"step_units": 5}
            start(server, f"{LINE}@{EQUAL}", shares=(0.05, 0.25), policy=policy)

            await _draw_until_judged(server)

            shares = [
                entry.record.actions[0].summary["share"]
                for entry in server.app.registry.since(0, limit=1_000)
                if entry.record.actions[0].summary.get("step") == "share"
            ]
            assert shares == [0.05, 0.25]

    asyncio.run(walk())


def test_too_few_differences_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither worse nor proven good: people decide, the channel stays, and nothing is promoted."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            paint(server, monkeypatch)
            policy = {"units_max": 12}
            promote_by_itself(server)
            start(server, f"{LINE}@{EQUAL}", policy=policy)

            drawing = asyncio.ensure_future(let_callers_draw(server, prompts=200))
            await until(lambda: canary_of(server).is_held)
            drawing.cancel()

            canary = canary_of(server)
            assert (canary.verdict, canary.is_open) == ("inconclusive", True)
            assert len(canary.seen) == 12
            assert _stable(server) == GOOD

    asyncio.run(walk())


@pytest.mark.parametrize("fault", ["raises", "hangs"])
def test_dead_scorer_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """A scorer that fails or stands still: people decide; a rollback waits for neither."""
    let_go = threading.Event()

    def score(*_args: Any, **_words: Any) -> Any:
        if fault == "raises":
            raise ValueError("no such encoder")
        let_go.wait(30)

    monkeypatch.setattr(conductor, "observe_pair", score)

    async def walk() -> None:
        limits = small_limits(canary_scoring_seconds_max=0.3)
        async with serving(tmp_path, limits=limits) as server:
            await prepare(server, stable=EQUAL)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")

            drawing = asyncio.ensure_future(let_callers_draw(server, prompts=1_000))
            await until(lambda: canary_of(server).is_held)
            drawing.cancel()
            said = canary_of(server).said
            await server.roll_back(str(LINE))

            assert "the scorer" in said
            assert (canary_of(server).verdict, canary_of(server).is_open) == ("stopped", False)
            assert _stable(server) == GOOD
        let_go.set()

    asyncio.run(walk())


def test_scorer_that_hangs_from_the_start_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the canary wait for ever before its first pair."""
    let_go = threading.Event()
    monkeypatch.setattr(calibrating, "look_at", lambda *_args, **_words: let_go.wait(60))

    async def walk() -> None:
        limits = small_limits(canary_scoring_seconds_max=0.3)
        async with serving(tmp_path, limits=limits) as server:
            await prepare(server)
            paint(server, monkeypatch)
            promote_by_itself(server)
            start(server, f"{LINE}@{EQUAL}")

            await until(lambda: canary_of(server).is_held)

            assert canary_of(server).said == "the scorer stands still"
            let_go.set()

    asyncio.run(walk())


def test_canary_goes_on_where_a_server_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is the state: what was judged stays judged, and no prompt counts twice."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")
            drawing = asyncio.ensure_future(let_callers_draw(server, prompts=60))
            await until(lambda: len(canary_of(server).seen) > 5)
            await drawing
        async with serving(tmp_path) as server:
            before = len(canary_of(server).seen)
            await let_callers_draw(server, prompts=60)
            await _draw_until_judged(server, begin=60)

            canary = canary_of(server)
            assert before > 5
            assert canary.verdict == "success"
            assert canary.figures.units == 88

    asyncio.run(walk())


def test_caller_sees_nothing_of_a_shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events and its image are those that it has without a canary."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            paint(server, monkeypatch)
            before = await server.generate("a star", adapters=[str(LINE)], seed=1)
            start(server, f"{LINE}@{EQUAL}")
            await let_callers_draw(server, prompts=3)
            beside = await server.generate("a star", adapters=[str(LINE)], seed=1)

            assert before.kinds == beside.kinds
            drawn = [pixels_of(one.images[0].content) for one in (before, beside)]
            assert np.array_equal(*drawn)

    asyncio.run(walk())


async def _draw_until_judged(server: Server, *, begin: int = 0) -> list[Any]:
    drawing = asyncio.ensure_future(let_callers_draw(server, prompts=1_000, begin=begin))
    await until(lambda: not canary_of(server).is_open)
    return await drawing


def _stable(server: Server) -> str:
    return str(server.app.registry.state.resolve(AdapterRef.parse(str(LINE))).version)


def _accepted(told: list[Any]) -> list[Any]:
    return [one.accepted for one in told]
