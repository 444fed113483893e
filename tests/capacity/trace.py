# SPDX-License-Identifier: Apache-2.0
"""Synthetic traffic: who asks for what and when, and which releases move meanwhile.

In: a workload and a seed. Out: arrivals and moves in the order of time, the same for the same
seed. Knows no servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What traffic is like.

    Attributes:
        adapters: Release lines.
        exponent: Of their popularity, by Zipf: the one of rank r is asked for as r to the minus
            that.
        rate: Images a second, on average.
        seconds: How long it lasts; that is one day, however short.
        wave: How many times the busiest second of the day has of the quietest.
        bursts: How often one adapter, whichever, becomes everybody's for a while.
        burst_seconds: How long that lasts.
        burst_share: What comes on top, as a share of the average rate.
        releases: Channels that move to a new release.
        rollback_share: Of those, how many are moved back before the day is over.
        pair_share: Requests that wear two adapters.
    """

    adapters: int
    exponent: float
    rate: float
    seconds: float
    wave: float = 1.0
    bursts: int = 0
    burst_seconds: float = 30.0
    burst_share: float = 0.5
    releases: int = 0
    rollback_share: float = 0.5
    pair_share: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request for one image.

    Attributes:
        at: Seconds.
        lines: Numbers of the release lines of its stack, ascending.
    """

    at: float
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A channel that moves.

    Attributes:
        at: Seconds.
        line: Number of the release line.
        version: Which release of it counts from now on.
    """

    at: float
    line: int
    version: int


def arrivals(workload: Workload, *, rng: np.random.Generator) -> list[Arrival]:
    """Draw the requests of one day, in order."""
    times = _wave_times(workload, rng=rng)
    lines = popular(workload, len(times), rng=rng)
    seconds = popular(workload, len(times), rng=rng)
    pairs = rng.random(len(times)) < workload.pair_share
    found = [
        Arrival(at=float(at), lines=_stack(int(line), int(other) if is_pair else None))
        for at, line, other, is_pair in zip(times, lines, seconds, pairs, strict=True)
    ]
    found += _burst_arrivals(workload, rng=rng)
    return sorted(found, key=lambda arrival: arrival.at)


def moves(workload: Workload, *, rng: np.random.Generator) -> list[Move]:
    """Draw the new releases of one day, and the rollbacks of some."""
    found = []
    lines = popular(workload, workload.releases, rng=rng)
    for number, line in enumerate(lines, start=1):
        at = float(rng.uniform(0.0, workload.seconds))
        found.append(Move(at=at, line=int(line), version=number))
        if rng.random() < workload.rollback_share:
            back = float(rng.uniform(at, workload.seconds))
            found.append(Move(at=back, line=int(line), version=0))
    return sorted(found, key=lambda move: move.at)


def popular(workload: Workload, count: int, *, rng: np.random.Generator) -> np.ndarray:
    """Draw release lines by their popularity; int64 `[count]`."""
    limits = _cumulative(workload.adapters, workload.exponent)
    return np.searchsorted(limits, rng.random(count) * limits[-1], side="right")


@lru_cache(maxsize=8)
def _cumulative(adapters: int, exponent: float) -> np.ndarray:
    return np.cumsum(np.arange(1, adapters + 1, dtype=np.float64) ** -exponent)


def _stack(line: int, other: int | None) -> tuple[int, ...]:
    return tuple(sorted({line} if other is None else {line, other}))


def _wave_times(workload: Workload, *, rng: np.random.Generator) -> np.ndarray:
    """Draw times of a Poisson process whose rate is a sine over the day, busiest in the middle."""
    count = rng.poisson(workload.rate * workload.seconds)
    swing = (workload.wave - 1.0) / (workload.wave + 1.0)
    # Busiest at the middle, so that a queue of the peak has the evening to go down again.
    grid = np.linspace(0.0, 1.0, 4_097)
    passed = grid - swing * np.sin(2 * np.pi * grid) / (2 * np.pi)
    return np.sort(np.interp(rng.random(count), passed, grid) * workload.seconds)


def _burst_arrivals(workload: Workload, *, rng: np.random.Generator) -> Iterator[Arrival]:
    for _ in range(workload.bursts):
        line = int(rng.integers(workload.adapters))
        begins = rng.uniform(0.0, max(0.0, workload.seconds - workload.burst_seconds))
        count = rng.poisson(workload.rate * workload.burst_share * workload.burst_seconds)
        for at in begins + rng.random(count) * workload.burst_seconds:
            yield Arrival(at=float(at), lines=(line,))
