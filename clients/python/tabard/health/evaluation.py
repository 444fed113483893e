# SPDX-License-Identifier: Apache-2.0
"""What comes back from evaluating: the events as they happen, and the result of them all.

Scores inform, and a person decides. Knows nothing of the network.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tabard.errors import Internal

PERSON_DECIDES = "Scores inform; a person decides."
"""What stands below every verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationStarted:
    """What is drawn and judged, pinned.

    Attributes:
        adapter: Line of the release that is judged.
        version: Its version.
        digest: Its digest.
        weight: How strongly it is worn.
        against_version: Version of the release it would replace; empty: the base alone.
        against_digest: Its digest.
        grid: Name of the grid.
        grid_digest: Digest of its document.
        cell_count: Prompts times seeds: as many pictures does every side draw.
        prompt_count: Prompts of the grid, controls included.
        seed_count: Its seeds; every prompt is drawn with each.
        reference_source: `request`, `published`, or `against`: what the release that it would
            replace draws on the grid.
        reference_count: How many there are; 0 as long as they are to be drawn.
        channel: The channel that it is judged for.
        bounds: What the policy of that channel puts in place of the server's bounds.
    """

    adapter: str
    version: str
    digest: str
    weight: float
    against_version: str
    against_digest: str
    grid: str
    grid_digest: str
    cell_count: int
    prompt_count: int
    seed_count: int
    reference_source: str
    reference_count: int
    channel: str
    bounds: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationProgress:
    """`done` of `total` cells are drawn; the phase is `drawing` or `judging`."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPicture:
    """A picture of a cell.

    Attributes:
        side: `candidate`, `against` or `base`.
        digest: sha256 of the file; empty: there is none, its latents became NaN or infinite.
        was_kept: Whether an evaluation before had drawn it.
        png: The file, where pictures were asked for.
    """

    side: str
    digest: str
    was_kept: bool
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationCell:
    """One prompt and seed, drawn by every side."""

    prompt_index: int
    prompt: str
    seed: int
    pictures: tuple[EvaluationPicture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One score, with the interval that covers prompts and seeds which were not drawn.

    Attributes:
        name: What it is called.
        is_measured: Whether it could be measured; if not, there are no numbers.
        reason: What it is; if it was not measured, why.
        value: The value.
        low: Lower end of its interval.
        high: Upper end.
        baseline: The same of the release that it would replace.
        paired_low: Lower end of the interval of the difference, pair by pair.
        paired_high: Upper end.
        of: Of a score that counts pictures: of how many; None: it is no count.
    """

    name: str
    is_measured: bool
    reason: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    paired_low: float | None = None
    paired_high: float | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationScores:
    """Everything that was measured."""

    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationVerdict:
    """What comes of an evaluation.

    Attributes:
        verdict: `success`, `failed` or `inconclusive`.
        reasons: What it rests on.
        report_digest: Digest of the report's document.
        report_json: The report, as its document.
        created: Whether it was judged now; False: this is the report of the same evaluation before.
    """

    verdict: str
    reasons: tuple[str, ...]
    report_digest: str
    report_json: str = field(repr=False)
    created: bool

    @property
    def report(self) -> dict[str, Any]:
        """The report: goal, prompts, candidates, scores, technical note, checks, outcome."""
        document: dict[str, Any] = json.loads(self.report_json or "{}")
        return document


EvaluationEvent = (
    EvaluationStarted | EvaluationProgress | EvaluationCell | EvaluationScores | EvaluationVerdict
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """Everything one evaluation left.

    Attributes:
        started: What was drawn and judged.
        cells: What was drawn, in the order of the grid.
        scores: What was measured.
        verdict: `success`, `failed` or `inconclusive`. It informs; a person decides.
        reasons: What it rests on.
        report: The report's document.
        report_digest: Its digest.
        created: Whether it was judged now, or is the report of the same evaluation before.
    """

    started: EvaluationStarted
    cells: tuple[EvaluationCell, ...] = field(repr=False)
    scores: tuple[Score, ...]
    verdict: str
    reasons: tuple[str, ...]
    report: dict[str, Any] = field(repr=False)
    report_digest: str
    created: bool


class EvaluationCollector:
    """Gathers the events of one evaluation."""

    def __init__(self) -> None:
        self._started: EvaluationStarted | None = None
        self._cells: dict[tuple[int, int], EvaluationCell] = {}
        self._scores: tuple[Score, ...] = ()
        self._verdict: EvaluationVerdict | None = None

    def feed(self, event: EvaluationEvent) -> None:
        """Take the next event."""
        match event:
            case EvaluationStarted():
                self._started = event
            case EvaluationCell():
                # It may be told again: what a collection of garbage deleted is drawn once more.
                self._cells[event.prompt_index, event.seed] = event
            case EvaluationScores():
                self._scores = event.scores
            case EvaluationVerdict():
                self._verdict = event
            case EvaluationProgress():
                pass

    def result(self) -> EvaluationResult:
        """Give the result.

        Raises:
            Internal: The stream ended before there was a verdict.
        """
        started, verdict = self._started, self._verdict
        if started is None or verdict is None:
            raise Internal(
                "the stream ended before there was a verdict",
                reason="STREAM_INCOMPLETE",
                hint="ask again: what was drawn is kept",
            )
        return EvaluationResult(
            started=started,
            cells=tuple(self._cells[place] for place in sorted(self._cells)),
            scores=self._scores,
            verdict=verdict.verdict,
            reasons=verdict.reasons,
            report=verdict.report,
            report_digest=verdict.report_digest,
            created=verdict.created,
        )


class Evaluation(Iterator[EvaluationEvent]):
    """An evaluation under way: iterate over its events, or ask for its result.

    Closing it ends the evaluation; what was drawn is kept, and not drawn again.
    """

    def __init__(self, events: Generator[EvaluationEvent, None, None]) -> None:
        self._events = events
        self._collector = EvaluationCollector()

    def __next__(self) -> EvaluationEvent:
        event = next(self._events)
        self._collector.feed(event)
        return event

    def result(self) -> EvaluationResult:
        """Wait for what is left, and give the result. Raises as the events do."""
        for _event in self:
            pass
        return self._collector.result()

    def close(self) -> None:
        """End it. Idempotent."""
        self._events.close()


class AsyncEvaluation(AsyncIterator[EvaluationEvent]):
    """The same for asyncio."""

    def __init__(self, events: AsyncGenerator[EvaluationEvent, None]) -> None:
        self._events = events
        self._collector = EvaluationCollector()

    async def __anext__(self) -> EvaluationEvent:
        event = await anext(self._events)
        self._collector.feed(event)
        return event

    async def result(self) -> EvaluationResult:
        """Wait for what is left, and give the result. Raises as the events do."""
        async for _event in self:
            pass
        return self._collector.result()

    async def close(self) -> None:
        """End it. Idempotent."""
        await self._events.aclose()
