# SPDX-License-Identifier: Apache-2.0
"""What is shown to the network at once: latents of several rows, what they are told and wear.

In: rows. Out: a batch, filled up with samples of nobody where sizes shall be few. Knows nothing
of the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tabard_server.engine.row import Row
from tabard_server.engine.slots.binding import SlotStack, bucket
from tabard_server.engine.text.told import Telling

SAMPLE_BUCKETS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Samples of a compiled forward pass; a batch is filled up to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is shown to the network at once.

    Attributes:
        latents: `[samples, channels, h, w]`.
        timesteps: `[samples]`.
        tellings: What its rows are told.
        stacks: What each part of it wears; empty on a merged copy.
        samples_per_stack: Adjacent samples that are one part.
    """

    latents: torch.Tensor
    timesteps: torch.Tensor
    tellings: Sequence[Telling]
    stacks: Sequence[SlotStack]
    samples_per_stack: int

    def filled(self, filler: int) -> tuple[list[SlotStack], int]:
        """Return the stacks with those of nobody behind them, and how many samples are one part."""
        return fill_up(self.stacks, self.samples_per_stack, filler=filler)


def filler_of(samples: int) -> int:
    """Return how many samples a batch lacks to a size that is compiled."""
    return bucket(samples, buckets=SAMPLE_BUCKETS) - samples


def stacks_of(rows: Sequence[Row]) -> tuple[list[SlotStack], int]:
    """Return what each part of a batch wears, and how many samples are one part."""
    counts = {row.samples_per_part for row in rows}
    together = counts.pop() if len(counts) == 1 else 1
    return [
        worn for row in rows for worn in row.worn for _ in range(row.samples_per_part // together)
    ], together


def fill_up(
    stacks: Sequence[SlotStack], together: int, *, filler: int
) -> tuple[list[SlotStack], int]:
    """Return the same with samples of nobody behind them, which wear nothing."""
    if filler % together:
        stacks = [worn for worn in stacks for _ in range(together)]
        together = 1
    return [*stacks, *([] for _ in range(filler // together))], together


def filled(samples: torch.Tensor, filler: int) -> torch.Tensor:
    """Repeat the last sample, whose prediction nobody looks at."""
    if not filler:
        return samples
    return torch.cat([samples, samples[-1:].expand(filler, *samples.shape[1:])])
