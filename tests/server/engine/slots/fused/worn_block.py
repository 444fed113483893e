# SPDX-License-Identifier: Apache-2.0
"""One layer in float32 whose rows wear random rank rows, with two samples each."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tabard_server.engine.slots.slotted_layers import add_slots, make_tables
from tabard_server.engine.slots.worn_rows import Binding, WornRows

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(40, 56), (5, 40)),
    "linear without bias": (lambda: nn.Linear(40, 56, bias=False), (5, 40)),
    "linear of vectors": (lambda: nn.Linear(24, 40), (24,)),
    "conv 1x1": (lambda: nn.Conv2d(24, 40, 1), (24, 3, 5)),
    "conv 1x1 without bias": (lambda: nn.Conv2d(24, 40, 1, bias=False), (24, 3, 5)),
}
"""What makes each, and the shape of a sample."""


class WornBlock:
    """A layer, what its rows wear, and what it is given.

    Attributes:
        layer: The layer.
        samples: Of a row.
    """

    rows, samples = 3, 2

    def __init__(
        self,
        name: str,
        *,
        rank: int,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(5)
        make, shape = LAYERS[name]
        self.rank, self._binding = rank, Binding()
        layer = make().requires_grad_(False).to(device=device, dtype=dtype)
        self.layer: Any = add_slots(layer, binding=self._binding, rank_rows=1 + self.rows * rank)
        make_tables(self.layer)
        for table in (self.layer.slot_down, self.layer.slot_up):
            table[1:] = torch.randn_like(table[1:]) * 0.3
        self.x = torch.randn(self.rows * self.samples, *shape).to(device, dtype)
        if self.x.dim() == 4:
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        self._strength = torch.rand(self.rows, rank, 1).to(device, dtype)

    def ranks_of(self, *, row: int, turn: int = 0) -> list[int]:
        """Return which rank rows a row gathers; each turn moves them on by one row."""
        first = 1 + (row + turn) % self.rows * self.rank
        return list(range(first, first + self.rank))

    def bare(self) -> torch.Tensor:
        """Run it without any."""
        self._binding.clear()
        found: torch.Tensor = self.layer(self.x)
        return found

    def forward(self, worn: WornRows, x: torch.Tensor) -> torch.Tensor:
        """Run it as the denoiser does: what is worn is an argument like others."""
        self._binding.worn = worn
        found: torch.Tensor = self.layer(x)
        return found

    @torch.inference_mode()
    def run(self, *, may_fuse: bool, turn: int = 0, forward: Any = None) -> torch.Tensor:
        """Run it, or what was compiled of `forward`."""
        index = [self.ranks_of(row=row, turn=turn) for row in range(self.rows)]
        worn = WornRows(
            index=torch.tensor(index, device=self.x.device),
            weight=self._strength,
            samples_per_row=self.samples,
            active=None,
            may_fuse=may_fuse,
        )
        found: torch.Tensor = (forward or self.forward)(worn, self.x)
        return found.clone()
