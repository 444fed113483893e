# SPDX-License-Identifier: Apache-2.0
"""What the rows of a batch wear, as the layers of one component find it.

Values and what is kept of them from pass to pass. Knows neither layers nor adapters.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import torch

from tabard_server.engine.sending import send


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Which magnitudes each row of the next forward pass wears.

    Attributes:
        index: Rank rows that hold them, `[rows * 3 * K]`, int64, on the device; row 0: none. By
            block `[B, rows * 3 * K]`.
        weight: Weights of their adapters, `[rows, K, 1]`, in at least float32; by block
            `[B, rows, K, 1]`.
        share: One where a rank row is scaled by a magnitude and those after it, `[rows, R, K]`.
        outputs: `id()`s of the layers whose outputs any of them scales; None: of all.
        inputs: `id()`s of the layers whose inputs any of them scales; None: of all.
    """

    index: torch.Tensor
    weight: torch.Tensor
    share: torch.Tensor
    outputs: AbstractSet[int] | None
    inputs: AbstractSet[int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What the rows of a batch wear in one layer.

    Attributes:
        down: `[rows, R, in * kernel]`.
        up: `[rows, R, out]`, weights and magnitudes folded in.
        inputs: How far beyond 1 each row scales its inputs, `[rows, in]`; None: not at all.
        outputs: How far beyond 1 each row scales its base outputs, `[rows, out]`; None: likewise.
        between: Weights of what the down factor gives, `[parts, 1, R]`, where one row of factors is
            for several parts of the batch; None: they are in `up`.
    """

    down: torch.Tensor
    up: torch.Tensor
    inputs: torch.Tensor | None = None
    outputs: torch.Tensor | None = None
    between: torch.Tensor | None = None

    @property
    def is_scaled(self) -> bool:
        """Say whether a magnitude changes the base product itself."""
        return self.inputs is not None or self.outputs is not None

    def add(self, base: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Add what adapters give to `base [rows, n, out]`, in place, from `hidden [rows, n, R]`."""
        if self.between is not None:
            hidden.view(len(self.between), -1, hidden.shape[2]).mul_(self.between)
        # Into the base's own output, which nobody else has seen: a copy less.
        return base.baddbmm_(hidden, self.up)


@dataclass(slots=True, kw_only=True, eq=False)
class WornRows:
    """Which rank rows each row of a batch gathers, and what layers have gathered already.

    A batch that steps again finds its factors where it left them; a compiled model gathers anew,
    for its graph holds no memory of another pass.

    Attributes:
        index: Rank rows, shape `[rows, R]`, int64, on the device.
        weight: Their weights, shape `[rows, R, 1]`, model dtype; where any row has other weights
            in other blocks of the component `[B, rows, R, 1]`.
        samples_per_row: Adjacent samples that share a row's adapters (2 with guidance).
        is_weighed_between: `index` has one row for all, and `weight` one for each part of them.
        active: `id()`s of the layers that any adapter of the batch changes; None: all.
        scaling: Magnitudes; None when no row wears any.
        room_bytes: What may be kept of gathered factors; layers that come late do without.
        may_fuse: Whether layers may make product and delta in one kernel; its bits are others.
        gathered: By `id()` of the layer.
    """

    index: torch.Tensor
    weight: torch.Tensor
    samples_per_row: int
    active: AbstractSet[int] | None
    is_weighed_between: bool = False
    scaling: Scaling | None = None
    room_bytes: int = 0
    may_fuse: bool = False
    gathered: dict[int, Gathered] = field(default_factory=dict)


Fused = Callable[..., torch.Tensor]
"""Makes a layer's product and what its rows wear in one call: `fused.choice.FusedCall`."""

SCRATCH_BYTES_MAX = 96 << 20
"""For down and up factors that are not kept; a layer that needs more takes new memory."""
KEPT_BATCHES = 3
"""Batches that take turns and find what they gathered: two of one size, and one of another."""


class Binding:
    """What the layers of one component wear in the next forward pass.

    Attributes:
        worn: None: the bare base.
        kept: What was worn lately, by a key that says of whom; the last one last.
        indices: Rank rows as they lie on the device, by what they are: weights that move from step
            to step are sent alone.
        scratch: Where layers gather what is not kept, one after the other; by what for.
    """

    __slots__ = ("indices", "kept", "scratch", "worn")

    def __init__(self) -> None:
        self.worn: WornRows | None = None
        self.kept: OrderedDict[object, WornRows] = OrderedDict()
        self.indices: OrderedDict[object, torch.Tensor] = OrderedDict()
        self.scratch: dict[str, torch.Tensor] = {}

    def index_of(self, rows: Sequence[Sequence[int]], *, device: torch.device) -> torch.Tensor:
        """Return rank rows `[rows, R]` on the device, sent there if none of the last were these."""
        key = tuple(map(tuple, rows))
        found = self.indices.pop(key, None)
        if found is None:
            found = send(torch.tensor(rows), device)
        self.indices[key] = found
        while len(self.indices) > KEPT_BATCHES:
            self.indices.popitem(last=False)
        return found

    def wear(self, worn: WornRows, *, key: object) -> None:
        """Wear these rank rows in every forward pass until `clear`."""
        self.worn = self.kept[key] = worn
        self.kept.move_to_end(key)
        while len(self.kept) > KEPT_BATCHES:
            self.kept.popitem(last=False)

    def clear(self) -> None:
        """Go back to the bare base."""
        self.worn = None
