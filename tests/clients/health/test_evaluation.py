# SPDX-License-Identifier: Apache-2.0
"""Events of an evaluation, gathered into its result."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from tabard.errors import Internal
from tabard.health.evaluation import (
    AsyncEvaluation,
    Evaluation,
    EvaluationCell,
    EvaluationEvent,
    EvaluationPicture,
    EvaluationProgress,
    EvaluationScores,
    EvaluationStarted,
    EvaluationVerdict,
    Score,
)

STARTED = EvaluationStarted(
    adapter="acme/ink",
    version="1.1.0",
    digest="sha256:" + "a" * 64,
    weight=1.0,
    against_version="1.0.0",
    against_digest="sha256:" + "b" * 64,
    grid="style",
    grid_digest="sha256:" + "c" * 64,
    cell_count=2,
    prompt_count=2,
    seed_count=1,
    reference_source="against",
    reference_count=0,
    channel="stable",
    bounds={},
)
SCORES = EvaluationScores(scores=(Score(name="style", is_measured=True, value=0.5),))
VERDICT = EvaluationVerdict(
    verdict="failed",
    reasons=("why",),
    report_digest="sha256:" + "d" * 64,
    report_json='{"verdict":"Failed"}',
    created=True,
)


def cell(prompt: int, seed: int, *, digest: str = "") -> EvaluationCell:
    """Return a cell with one picture."""
    picture = EvaluationPicture(side="base", digest=digest, was_kept=False, png=b"")
    return EvaluationCell(prompt_index=prompt, prompt="x", seed=seed, pictures=(picture,))


EVENTS: tuple[EvaluationEvent, ...] = (
    STARTED,
    cell(1, 5, digest="first"),
    EvaluationProgress(phase="drawing", done=1, total=2),
    cell(0, 5),
    cell(1, 5, digest="again"),
    SCORES,
    VERDICT,
)


class Told:
    """Events one by one; knows whether it was closed."""

    def __init__(self, *events: EvaluationEvent) -> None:
        self.events = events
        self.is_closed = False

    def stream(self) -> Generator[EvaluationEvent, None, None]:
        """Yield them."""
        try:
            yield from self.events
        finally:
            self.is_closed = True

    async def stream_async(self) -> AsyncGenerator[EvaluationEvent, None]:
        """Yield them to asyncio."""
        try:
            for event in self.events:
                yield event
        finally:
            self.is_closed = True


def check(result: Any) -> None:
    """Look at everything that a result says."""
    assert result.started is STARTED
    assert [(one.prompt_index, one.seed) for one in result.cells] == [(0, 5), (1, 5)]
    assert result.cells[1].pictures[0].digest == "again"
    assert (result.scores, result.verdict, result.reasons) == (SCORES.scores, "failed", ("why",))
    assert result.report == {"verdict": "Failed"}
    assert (result.report_digest, result.created) == (VERDICT.report_digest, True)


def test_events_become_a_result() -> None:
    """Cells in the order of the grid, and what was drawn again in place of what it was."""
    evaluation = Evaluation(Told(*EVENTS).stream())

    first = next(evaluation)

    assert first is STARTED
    check(evaluation.result())


def test_asyncio_has_the_same_result() -> None:
    """Whether events were looked at before or not."""

    async def walk() -> None:
        evaluation = AsyncEvaluation(Told(*EVENTS).stream_async())
        assert await anext(evaluation) is STARTED
        check(await evaluation.result())

    asyncio.run(walk())


@pytest.mark.parametrize("events", [EVENTS[:-1], EVENTS[1:], ()])
def test_incomplete_stream_is_no_result(events: tuple[EvaluationEvent, ...]) -> None:
    """Without its beginning or its verdict nothing is made up."""
    with pytest.raises(Internal) as failed:
        Evaluation(Told(*events).stream()).result()

    assert failed.value.reason == "STREAM_INCOMPLETE"


def test_closing_ends_it() -> None:
    """The server stops drawing; what was drawn is kept there."""
    told, told_async = Told(*EVENTS), Told(*EVENTS)
    evaluation = Evaluation(told.stream())
    next(evaluation)

    evaluation.close()
    evaluation.close()

    async def walk() -> None:
        other = AsyncEvaluation(told_async.stream_async())
        await anext(other)
        await other.close()

    asyncio.run(walk())
    assert told.is_closed
    assert told_async.is_closed


def test_report_of_no_report_is_empty() -> None:
    """An older server sends none."""
    without = EvaluationVerdict(
        verdict="failed", reasons=(), report_digest="", report_json="", created=False
    )

    assert without.report == {}
