# SPDX-License-Identifier: Apache-2.0
"""The moment at a step boundary, and what the policy makes of it: values, no behaviour.

Knows nothing of engines, jobs or threads.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tabard_server.engine_port.costs import Costs
from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.memory import MemoryPlan
from tabard_server.engine_port.stack import StackKey
from tabard_server.scheduler.claims import UNSAID, Claim, Weights
from tabard_server.scheduler.fair_queue import FairQueue

RowKey: TypeAlias = tuple[int, int]
"""The job's ticket and the image's index: unique, and in the order of admission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """An image that has not begun.

    Attributes:
        key: Who it is.
        size: Its pixels.
        is_solo: It must run in a forward pass of its own.
        stack: What it wears.
        is_merged_only: Only a merged copy can draw it.
        is_steady: It wears the same at every step and everywhere, as a merged copy does.
        steps: Denoise steps it asks for.
        samples: Samples that it takes in a forward pass.
        opening_seconds: What it takes to begin it, after those of its job that begin before it.
        fits: The slots have room for its stack now.
        overtaken: Younger images that began while it waited for room.
        claim: What it is to the others.
    """

    key: RowKey
    size: Size
    is_solo: bool = False
    stack: StackKey = ()
    is_merged_only: bool = False
    is_steady: bool = True
    steps: int = 1
    samples: int = 1
    opening_seconds: float = 0.0
    fits: bool = True
    overtaken: int = 0
    claim: Claim = UNSAID

    @property
    def kind(self) -> Size:
        """What tells it apart from others of its tenant."""
        return self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Who has not begun. Rows are looked at one by one: a choice costs what it looks at.

    Attributes:
        queue: Who waits, in the order of their turns.
        see: Gives the row of an entry of the queue, as it is at this moment.
        stacks: What they wear, each once.
        steps: Denoise steps that they ask for together.
    """

    queue: FairQueue[Any] = field(default_factory=FairQueue)
    see: Callable[[Any], WaitingRow] = lambda row: row
    stacks: Collection[StackKey] = ()
    steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRow:
    """An image between its first step and its last.

    Attributes:
        key: Who it is.
        size: Its pixels.
        is_solo: It must run in a forward pass of its own.
        stack: What it wears.
        is_merged_only: Only a merged copy can draw it.
        is_steady: It wears the same at every step and everywhere, as a merged copy does.
        stepped_at: Number of the turn of its last step, or of its opening.
        steps_left: Forward passes until it is done.
        samples: Samples that it takes in a forward pass.
        is_new: It begins in this turn.
        claim: What it is to the others.
    """

    key: RowKey
    size: Size
    is_solo: bool = False
    stack: StackKey = ()
    is_merged_only: bool = False
    is_steady: bool = True
    stepped_at: int = 0
    steps_left: int = 1
    samples: int = 1
    is_new: bool = False
    claim: Claim = UNSAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the policy may look at.

    Attributes:
        turn: Number of this turn; larger than every `stepped_at`.
        waiting: Who has not begun; nobody, where no more may run.
        running: In any order.
        rows_per_step_max: Rows of one forward pass; a row in parts counts as many.
        rows_fit: The same for sizes of which the device could not hold so many.
        running_rows_max: Rows that may run at once.
        overtakes_max: Younger images that may begin before one that waits for room.
        opening_seconds_max: How long the rows that begin in this turn may take for it together;
            one may always begin.
        step_seconds_max: How long a step may take; one row may always step.
        ahead: Seconds that rows of a size had more of the engine than others, by size.
        weights: Of the tenants.
        tenants_ahead: Seconds for its weight that a tenant had more of the engine than others.
        tenants_begun: Work for its weight that a tenant began more than others.
        plan: What the engine uses of its device; None: nobody asked.
        can_merge: A merged copy may be made for rows that do not need one.
        unmergeable: Stacks that could not be merged.
        merged_stack: What the merged copy wears; empty: nothing yet.
        merged_turns: Turns that it has been used since it was made.
        costs: What the engine's work took lately.
    """

    turn: int
    waiting: Waiting
    running: tuple[RunningRow, ...]
    rows_per_step_max: int
    running_rows_max: int
    overtakes_max: int
    opening_seconds_max: float = math.inf
    step_seconds_max: float = math.inf
    ahead: Mapping[Size, float] = field(default_factory=dict)
    weights: Weights = field(default_factory=Weights)
    tenants_ahead: Mapping[str, float] = field(default_factory=dict)
    tenants_begun: Mapping[str, float] = field(default_factory=dict)
    plan: MemoryPlan | None = None
    rows_fit: Mapping[Size, int] = field(default_factory=dict)
    can_merge: bool = False
    unmergeable: frozenset[StackKey] = frozenset()
    merged_stack: StackKey = ()
    merged_turns: int = 0
    costs: Costs = field(default_factory=Costs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to do in this turn.

    Attributes:
        evicted: Background rows to close before, which wait again.
        opened: Waiting rows to open, in order.
        overtaken: Waiting rows without room, and how often each was passed by in all.
        batch: Rows to step together, opened ones among them.
        is_merged: They step on the merged copy, all of one stack.
    """

    opened: tuple[RowKey, ...]
    overtaken: tuple[tuple[RowKey, int], ...]
    batch: tuple[RowKey, ...]
    is_merged: bool = False
    evicted: tuple[RowKey, ...] = ()

    @property
    def is_unfinished(self) -> bool:
        """Say whether it only makes room in the slots: look again at the same step boundary."""
        return bool(self.evicted) and not self.batch
