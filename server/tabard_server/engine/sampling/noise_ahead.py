# SPDX-License-Identifier: Apache-2.0
"""Noise of the next step, drawn by a thread of its own while the device is at this one.

In: rows that draw from generators of their own. Out: host memory with what each draws at its step,
ready to be copied to the device at once. Whoever draws, and when, a generator gives the same
numbers in the same order. Knows nothing of samplers.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary

import torch

from tabard_server.engine.sending import new_sendable


class Draws(Protocol):
    """A row, as far as its noise goes."""

    @property
    def steps_done(self) -> int:
        """Steps behind it."""

    @property
    def steps_total(self) -> int:
        """Steps in all."""

    def draw_noise(self, step: int) -> torch.Tensor | None:
        """Draw what a step needs, on the CPU; None: nothing. Once for each step, in order."""


D = TypeVar("D", bound=Draws)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What a row has drawn, or is drawing.

    Attributes:
        step: For which of its steps.
        together: What was drawn with it, `[rows, 1, values]`.
        place: Where in that.
        done: Of all that was drawn with it.
    """

    step: int
    together: torch.Tensor
    place: int
    done: "Future[None]"

    def wait(self) -> torch.Tensor:
        """Return `[1, values]` once it is there, or raise what the thread raised."""
        self.done.result()
        return self.together[self.place]


class NoiseAhead:
    """One thread that draws, and what it has drawn. Asked from one other thread."""

    def __init__(self) -> None:
        """Start nothing: the thread begins with the first row that draws."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tabard-noise")
        self._drawn: WeakKeyDictionary[Draws, _Drawn] = WeakKeyDictionary()

    def begin(self, rows: Sequence[D], *, like: torch.Tensor) -> None:
        """Let the thread draw for the next steps of rows, where it has not begun to.

        Args:
            rows: In the order in which they will likely be taken; those that are done draw nothing.
            like: Where it goes, `[rows, 1, values]`.
        """
        left = [row for row in rows if row.steps_done < row.steps_total and self._of(row) is None]
        if not left:
            return
        together = _new_room(like[: len(left)])
        steps = [row.steps_done for row in left]
        done = self._thread.submit(_draw_all, left, steps=steps, into=together)
        for place, (row, step) in enumerate(zip(left, steps, strict=True)):
            self._drawn[row] = _Drawn(step=step, together=together, place=place, done=done)

    def take(self, rows: Sequence[D], *, like: torch.Tensor) -> torch.Tensor:
        """Return what rows draw at their next steps, in host memory; zeros for who draws nothing.

        A step that is tried again is given the same once more.

        Args:
            rows: Of one size, not done.
            like: As for `begin`.
        """
        self.begin(rows, like=like)
        found = [self._drawn[row] for row in rows]
        first, last = found[0], found[-1]
        is_together = all(one.together is first.together for one in found) and [
            one.place for one in found
        ] == [*range(first.place, last.place + 1)]
        drawn = [one.wait() for one in found]
        if is_together:
            return first.together[first.place : last.place + 1]
        return torch.stack(drawn, out=_new_room(like))

    def _of(self, row: Draws) -> _Drawn | None:
        """Return what is drawn for the next step of a row."""
        found = self._drawn.get(row)
        return found if found is not None and found.step == row.steps_done else None


def _new_room(like: torch.Tensor) -> torch.Tensor:
    return new_sendable(like.shape, dtype=like.dtype, device=like.device)


def _draw_all(rows: Sequence[Draws], *, steps: Sequence[int], into: torch.Tensor) -> None:
    # What the engine's thread makes is inference's own, and written only by those who say so too.
    with torch.inference_mode():
        for place, (row, step) in enumerate(zip(rows, steps, strict=True)):
            _draw(row, step=step, into=into[place])


def _draw(row: Draws, *, step: int, into: torch.Tensor) -> None:
    noise = row.draw_noise(step)
    if noise is None:
        into.zero_()
    else:
        into.copy_(noise.reshape(into.shape))
