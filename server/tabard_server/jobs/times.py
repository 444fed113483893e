# SPDX-License-Identifier: Apache-2.0
"""When what happened to a job: a few times for each image, noted where it happens.

In: the names of moments, from any thread. Out: the parts that a job's time is made of. Nothing is
noted at a step, and nobody waits for the device.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Moment = Literal["opened", "stepped", "decoding", "decoded", "encoded"]
"""Of an image: the engine has opened it, made its last step, begins to decode; its pixels are in
host memory, its file is written."""

_PARTS: tuple[tuple[str, Moment | None, Moment], ...] = (
    ("queue", None, "opened"),
    ("steps", "opened", "stepped"),
    ("decode", "decoding", "decoded"),
    ("encode", "decoded", "encoded"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a job's time.

    Attributes:
        name: `admission`, `load`, `queue`, `steps`, `decode` or `encode`.
        begun_at: Monotonic seconds.
        ended_at: Monotonic seconds.
        image: Which image it was for; None: all of them.
    """

    name: str
    begun_at: float
    ended_at: float
    image: int | None = None


class Times:
    """The times of one job; each is written by one thread, and read once the job is over.

    Attributes:
        seated_at: It was admitted and has its seats.
        leased_at: Its stack is in host memory.
        ended_at: It is over.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._moments: dict[tuple[int, Moment], float] = {}
        self.seated_at = clock()
        self.leased_at: float | None = None
        self.ended_at: float | None = None

    def lease(self) -> None:
        """Note that the stack is there."""
        self.leased_at = self._clock()

    def note(self, moment: Moment, *, index: int) -> None:
        """Note a moment of an image; the last one of its name counts."""
        self._moments[index, moment] = self._clock()

    def end(self) -> None:
        """Note that the job is over."""
        self.ended_at = self._clock()

    def parts(self, *, asked_at: float, images: int) -> Iterator[Part]:
        """Yield what the job's time was, in order; what was not over ends with the job."""
        until = self._clock() if self.ended_at is None else self.ended_at
        yield Part(name="admission", begun_at=asked_at, ended_at=self.seated_at)
        leased_at = self.leased_at
        yield Part(name="load", begun_at=self.seated_at, ended_at=_or(leased_at, until))
        if leased_at is None:
            return
        for index in range(images):
            for name, first, last in _PARTS:
                begun_at = self._moments.get((index, first)) if first else leased_at
                if begun_at is None:
                    break
                ended_at = _or(self._moments.get((index, last)), until)
                yield Part(name=name, begun_at=begun_at, ended_at=ended_at, image=index)


def _or(at: float | None, otherwise: float) -> float:
    return otherwise if at is None else at
