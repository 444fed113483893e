# SPDX-License-Identifier: Apache-2.0
"""What the simulation is told: seconds of the engine and of loads, from `inputs.toml`.

In: a file. Out: one frozen value, and from it what the real policy weighs. Knows no servers.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tabard_server.engine_port.costs import Costs
from tabard_server.engine_port.memory import ROWS_PER_STEP
from tabard_server.engine_port.work import Curve, Estimate, Work

FILE = Path(__file__).with_name("inputs.toml")
SIZE = (1024, 1024)
"""Pixels of every image."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Seconds, bytes and counts; the names are those of the file."""

    steps: int
    samples: int
    step_fixed_seconds: float
    step_row_seconds: float
    decode_seconds: float
    text_window_seconds: float
    slot_fill_seconds: float
    bytes: int
    rank: int
    disk_seconds: float
    make_seconds: float
    store_trip_seconds: float
    store_bytes_per_second: float
    gpus_per_host: int

    @classmethod
    def read(cls, path: Path = FILE) -> Self:
        """Read a file; every name must be there, and no other."""
        groups: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(**{name: value for group in groups.values() for name, value in group.items()})

    def with_(self, **changes: Any) -> Self:
        """Return these with something else in places."""
        return replace(self, **changes)

    def step_seconds(self, rows: int) -> float:
        """Return what a pass of so many rows takes."""
        return self.step_fixed_seconds + rows * self.step_row_seconds

    @property
    def opening_seconds(self) -> float:
        """What it takes to begin a row, beside filling slots: a window of each of its samples."""
        return self.samples * self.text_window_seconds

    @property
    def store_seconds(self) -> float:
        """What it takes to bring an adapter from the bucket into host memory."""
        fetched = self.store_trip_seconds + self.bytes / self.store_bytes_per_second
        return fetched + self.make_seconds

    @cached_property
    def images_per_second(self) -> float:
        """Most that one server can draw: full batches, and no loads."""
        batch = self.steps * self.step_seconds(ROWS_PER_STEP)
        each = self.opening_seconds + self.decode_seconds
        return ROWS_PER_STEP / (batch + ROWS_PER_STEP * each)

    @cached_property
    def costs(self) -> Costs:
        """What the policy is told that the engine's work takes."""
        pixels = SIZE[0] * SIZE[1]
        linear = self.step_row_seconds / (self.samples * pixels)
        step = Estimate(curve=Curve(fixed=self.step_fixed_seconds, linear=linear))
        decoding = Estimate(curve=Curve(fixed=self.decode_seconds))
        seconds = {rows: self.step_seconds(rows) for rows in range(1, ROWS_PER_STEP + 1)}
        return Costs(
            row_steps=seconds,
            opening=self.opening_seconds,
            work=Work(
                native=SIZE,
                step=step,
                decoding=decoding,
                encoding=decoding,
                text_window_seconds=self.text_window_seconds,
            ),
        )
