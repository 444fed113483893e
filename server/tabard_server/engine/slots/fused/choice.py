# SPDX-License-Identifier: Apache-2.0
"""Which layers make their product and what rows wear of it in one kernel: those that gain by it.

In: a model with slots and one pass of it. Each kind of layer is tried as it was called in that
pass: the plain calls and the kernel, cut in a few ways, at two numbers of ranks. What is sooner by
a margin is worn from then on. For CUDA; the kernel comes as an argument, so that nothing here
imports Triton. One thread. See docs/decisions/0065.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from tabard_server.engine.slots.slotted_layers import SlottedConv2d, SlottedLayer, SlottedLinear

GAIN_MIN = 0.03
"""How much sooner, as a share of the plain calls, a fused layer must be."""
TRIED_RANKS = {16: (4, 8, 16), 64: (32, 64)}
"""Ranks that are tried, and the sizes of a batch's rank axis for which that decides."""
TRIAL_SECONDS_MAX = 20.0
"""After so long no more kinds are tried: a start is not to wait for what saves microseconds."""
_REPEATS = 5
_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """How a product is cut.

    Attributes:
        pixels: Of the outputs of one row, in one program.
        outputs: Likewise.
        inputs: That are summed at a time.
        warps: Of a program.
        stages: Loads that are on their way.
    """

    pixels: int
    outputs: int
    inputs: int
    warps: int
    stages: int

    @classmethod
    def of(cls, numbers: Sequence[int]) -> "Tiles":
        """Make them of their numbers, in order."""
        pixels, outputs, inputs, warps, stages = numbers
        return cls(pixels=pixels, outputs=outputs, inputs=inputs, warps=warps, stages=stages)

    def numbers(self) -> list[int]:
        """Return their numbers, in order."""
        return list(astuple(self))


TILES = (
    Tiles(pixels=128, outputs=128, inputs=64, warps=8, stages=3),
    Tiles(pixels=64, outputs=128, inputs=64, warps=4, stages=4),
)
"""For large layers, and for small ones."""


class Multiply(Protocol):
    """The kernel; see `kernel.multiply`."""

    def __call__(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        *,
        down: torch.Tensor,
        up: torch.Tensor,
        index: torch.Tensor,
        strength: torch.Tensor,
        tiles: Tiles,
    ) -> torch.Tensor:
        """Return `[rows, pixels, out]`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedCall:
    """A kernel with its tiles, as a layer calls it.

    Attributes:
        multiply: The kernel.
        tiles: How it cuts the work.
    """

    multiply: Multiply
    tiles: Tiles

    def __call__(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        *,
        down: torch.Tensor,
        up: torch.Tensor,
        index: torch.Tensor,
        strength: torch.Tensor,
    ) -> torch.Tensor:
        """Return `[rows, pixels, out]`; in a compiled graph it is one node."""
        if torch.compiler.is_compiling():
            found: torch.Tensor = torch.ops.tabard.worn_product(
                x, weight, bias, down, up, index, strength, self.tiles.numbers()
            )
            return found
        return self.multiply(
            x, weight, bias, down=down, up=up, index=index, strength=strength, tiles=self.tiles
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What layers have in common that are tried once.

    Attributes:
        inputs: Of a pixel or token.
        outputs: Likewise.
        pixels: Of one row in the pass that was watched.
        has_bias: Whether one is added.
    """

    inputs: int
    outputs: int
    pixels: int
    has_bias: bool

    @property
    def work(self) -> int:
        """Products of a row."""
        return self.inputs * self.outputs * self.pixels


Seconds = Callable[[Callable[[], torch.Tensor]], float]


def fuse_where_it_pays(
    model: nn.Module,
    run: Callable[[], object],
    *,
    rows: int,
    is_compiled: bool,
    multiply: Multiply,
    seconds: Seconds | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Try each kind of layer, and let those wear the kernel that gain by it; return how many do.

    Args:
        model: Its layers have slots; on the device.
        run: One forward pass of it, as one row.
        rows: Of a batch.
        is_compiled: Whether the plain calls gather factors in every pass, as a compiled graph does.
        multiply: The kernel.
        seconds: Times a call; None: by the device's own clock.
        clock: Tells when it has taken too long.
    """
    kinds = _watch(model, run)
    crowd = Counter(kinds.values())
    until = clock() + TRIAL_SECONDS_MAX
    fused: dict[Kind, dict[int, FusedCall]] = {}
    for kind in sorted(crowd, key=lambda one: one.work * crowd[one], reverse=True):
        if clock() >= until:
            break
        fused[kind] = {}
        weight = next(layer for layer, of in kinds.items() if of == kind).weight
        for ranks, sizes in TRIED_RANKS.items():
            trial = _Trial(kind, ranks=ranks, rows=rows, like=weight, is_compiled=is_compiled)
            best = trial.best(multiply, seconds=seconds or _shortest)
            if best is not None:
                fused[kind] |= dict.fromkeys(sizes, FusedCall(multiply=multiply, tiles=best))
    for layer, kind in kinds.items():
        layer.slot_fused = fused.get(kind, {})
    return sum(1 for layer in kinds if layer.slot_fused)


def _watch(model: nn.Module, run: Callable[[], object]) -> dict[SlottedLayer, Kind]:
    """Return each layer that could be fused, by how it was called in a pass."""
    kinds: dict[SlottedLayer, Kind] = {}

    def note(layer: Any, arguments: tuple[torch.Tensor, ...]) -> None:
        (x,) = arguments
        outputs, inputs = layer.weight.shape[:2]
        kinds[layer] = Kind(
            inputs=inputs,
            outputs=outputs,
            pixels=x.numel() // inputs,
            has_bias=layer.bias is not None,
        )

    hooks = [layer.register_forward_pre_hook(note) for layer in _fusable(model)]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return kinds


def _fusable(model: nn.Module) -> Iterator[SlottedLayer]:
    for layer in model.modules():
        if not isinstance(layer, SlottedLinear | SlottedConv2d):
            continue
        is_product = isinstance(layer, SlottedLinear) or layer.is_product
        if is_product and layer.weight.dtype in _DTYPES:
            yield layer


class _Trial:
    """One kind of layer at one number of ranks: noise to call it with, and both ways to call it."""

    def __init__(
        self, kind: Kind, *, ranks: int, rows: int, like: torch.Tensor, is_compiled: bool
    ) -> None:
        def noise(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, device=like.device, dtype=like.dtype)

        self._x = noise(rows, kind.pixels, kind.inputs)
        self._weight = noise(kind.outputs, kind.inputs)
        self._bias = noise(kind.outputs) if kind.has_bias else None
        self._worn = {
            "down": noise(1 + rows * ranks, kind.inputs),
            "up": noise(1 + rows * ranks, kind.outputs),
            "index": torch.arange(1, 1 + rows * ranks, device=like.device).view(rows, ranks),
            "strength": noise(rows, ranks, 1),
        }
        self._gathered = None if is_compiled else self._gather()

    def best(self, multiply: Multiply, *, seconds: Seconds) -> Tiles | None:
        """Return the tiles that are soonest; None: the plain calls are, or nearly."""
        plain = seconds(self._plain)
        found = {
            tiles: seconds(
                lambda tiles=tiles: multiply(  # type: ignore[misc]
                    self._x, self._weight, self._bias, **self._worn, tiles=tiles
                )
            )
            for tiles in TILES
        }
        best = min(found, key=lambda tiles: found[tiles])
        return best if found[best] <= (1 - GAIN_MIN) * plain else None

    def _plain(self) -> torch.Tensor:
        down, up = self._gathered or self._gather()
        base = functional.linear(self._x, self._weight, self._bias)
        return base.baddbmm_(torch.bmm(self._x, down.transpose(1, 2)), up)

    def _gather(self) -> tuple[torch.Tensor, torch.Tensor]:
        index = self._worn["index"]
        return self._worn["down"][index], self._worn["up"][index] * self._worn["strength"]


def _shortest(call: Callable[[], torch.Tensor]) -> float:
    """Return the shortest of a few times of the device, after a call that sets things up."""
    call()
    found = []
    for _ in range(_REPEATS):
        begun, ended = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        begun.record()
        call()
        ended.record()
        ended.synchronize()
        found.append(float(begun.elapsed_time(ended)))
    return min(found)
