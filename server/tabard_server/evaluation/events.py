# SPDX-License-Identifier: Apache-2.0
"""What somebody asks of an evaluation, and what they are told of it. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from tabard_registry import Author, Release
from tabard_registry.release.bounds import Bounds
from tabard_server.evaluation.cells import Cell, Side
from tabard_server.evaluation.drawer import Asker, Picture


class ReferenceSource(StrEnum):
    """Where the references of an evaluation come from."""

    REQUEST = "request"
    PUBLISHED = "published"
    AGAINST = "against"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An evaluation as somebody asks for it.

    Attributes:
        ref: What is judged.
        against: What it would replace; empty: what the channel points to, else `stable`.
        channel: The channel that it is judged for; empty: the default one.
        grid: Name of a grid; empty: the one for the release's purpose.
        grid_document: A grid of their own; empty: a named one.
        references: Files of pictures; none: those that were published.
        training: Files of pictures that it was trained on; likewise.
        asker: For whom it is drawn.
        author: Who files the report.
    """

    ref: str
    against: str = ""
    channel: str = ""
    grid: str = ""
    grid_document: bytes = b""
    references: tuple[bytes, ...] = ()
    training: tuple[bytes, ...] = ()
    asker: Asker
    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What is drawn and judged, pinned.

    Attributes:
        release: What is judged.
        weight: How strongly it is worn.
        against: What it would replace; None: the base alone.
        grid: Name of the grid.
        grid_digest: Digest of its document.
        prompt_count: Prompts of the grid, controls included.
        seed_count: Its seeds; every prompt is drawn with each.
        source: Where the references come from.
        reference_count: How many there are; 0 as long as they are to be drawn.
        channel: The channel that it is judged for.
        asked: Bounds that its policy puts in place of the server's.
    """

    release: Release
    weight: float
    against: Release | None
    grid: str
    grid_digest: str
    prompt_count: int
    seed_count: int
    source: ReferenceSource
    reference_count: int
    channel: str
    asked: Bounds


class Phase(StrEnum):
    """What an evaluation does now."""

    DRAWING = "drawing"
    JUDGING = "judging"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many cells are drawn."""

    phase: Phase
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDrawn:
    """A cell with the pictures of all sides."""

    cell: Cell
    pictures: Mapping[Side, Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTold:
    """One score; a number that there is not is None.

    Attributes:
        name: What it is called.
        is_measured: Whether it could be measured.
        reason: What it is, or why it could not be.
        value: The value.
        low: Lower end of its interval.
        high: Upper end.
        baseline: The same of what it would replace.
        paired_low: Lower end of the interval of the difference.
        paired_high: Upper end.
        of: Of a score that counts pictures: of how many.
    """

    name: str
    is_measured: bool
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    paired_low: float | None = None
    paired_high: float | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What comes of an evaluation.

    Attributes:
        scores: Everything that was measured.
        verdict: `Success`, `Failed` or `Inconclusive`.
        reasons: What it rests on.
        report: The report's document.
        report_digest: Its digest.
        created: Whether it was judged now.
    """

    scores: tuple[ScoreTold, ...]
    verdict: str
    reasons: tuple[str, ...]
    report: bytes
    report_digest: str
    created: bool


EvaluationEvent: TypeAlias = Started | Progress | CellDrawn | Judged
