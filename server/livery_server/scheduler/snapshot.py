# SPDX-License-Identifier: Apache-2.0
"""The moment at a step boundary, and what the policy makes of it: frozen values, no behaviour.

Knows nothing of engines, jobs or threads.
"""

from dataclasses import dataclass
from typing import TypeAlias

RowKey: TypeAlias = tuple[int, int]
"""The job's ticket and the image's index: unique, and in the order of admission."""
Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """An image that has not begun.

    Attributes:
        key: Who it is.
        size: Its pixels.
        is_solo: It must run in a forward pass of its own.
        fits: The slots have room for its stack now.
        overtaken: Younger images that began while it waited for room.
    """

    key: RowKey
    size: Size
    is_solo: bool = False
    fits: bool = True
    overtaken: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRow:
    """An image between its first step and its last.

    Attributes:
        key: Who it is.
        size: Its pixels.
        is_solo: It must run in a forward pass of its own.
        stepped_at: Number of the turn of its last step, or of its opening.
    """

    key: RowKey
    size: Size
    is_solo: bool = False
    stepped_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the policy may look at.

    Attributes:
        turn: Number of this turn; larger than every `stepped_at`.
        waiting: In the order of their keys.
        running: In any order.
        rows_per_step_max: Rows of one forward pass.
        running_rows_max: Rows that may run at once.
        overtakes_max: Younger images that may begin before one that waits for room.
    """

    turn: int
    waiting: tuple[WaitingRow, ...]
    running: tuple[RunningRow, ...]
    rows_per_step_max: int
    running_rows_max: int
    overtakes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to do in this turn.

    Attributes:
        opened: Waiting rows to open, in order.
        overtaken: Waiting rows without room, and how often each was passed by in all.
        batch: Rows to step together, opened ones among them.
    """

    opened: tuple[RowKey, ...]
    overtaken: tuple[tuple[RowKey, int], ...]
    batch: tuple[RowKey, ...]
