# SPDX-License-Identifier: Apache-2.0
"""A forward pass that computes nothing: shapes only, on tensors without memory.

In: a pass. Out: the most bytes that were alive in it, and its attention,
which counts as devices do it: in one kernel that never holds a matrix of all pairs.
"""

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tabard_server.engine.base.loading import Base
from tabard_server.engine.measures.passes import Pass, decoding, denoising, encoding
from tabard_server.engine.measures.shapes import outputs_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One call of attention.

    Attributes:
        heads: Of all samples together.
        queries: Positions that ask.
        keys: Positions that are asked.
        width: Of one head.
    """

    heads: int
    queries: int
    keys: int
    width: int

    @property
    def products(self) -> int:
        """Multiplications of its scores."""
        return self.heads * self.queries * self.keys * self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a call would take.

    Attributes:
        peak_bytes: The most that is alive at once, beside weights and inputs.
        attentions: Every call of attention, in order.
    """

    peak_bytes: int
    attentions: tuple[Attention, ...]

    @property
    def self_attentions(self) -> tuple[Attention, ...]:
        """Those within a picture, which grow with the square of its size."""
        return tuple(one for one in self.attentions if one.queries == one.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRuns:
    """The passes of one image of a base's own size, in float32.

    Attributes:
        step: A denoise step of one sample.
        decoding: From latents to pixels.
        encoding: From pixels to latents.
    """

    step: DryRun
    decoding: DryRun
    encoding: DryRun


def walk_through(base: Base) -> DryRuns:
    """Walk through the passes of a base, wherever it lies."""
    asked: dict[str, Any] = {
        "side": base.native_pixels // base.latent_factor,
        "device": torch.device("meta"),
        "dtype": torch.float32,
    }
    return DryRuns(
        step=run_dry(denoising(base, **asked)),
        decoding=run_dry(decoding(base, **asked)),
        encoding=run_dry(encoding(base, **asked)),
    )


def run_dry(call: Pass) -> DryRun:
    """Walk through a pass whose inputs are on the meta device.

    Its model's weights stay where they lie; float32 tensors without memory stand for them.
    """
    named = (*call.model.named_parameters(), *call.model.named_buffers())
    shapes = {name: _without_memory(tensor) for name, tensor in named}
    fused, peak = _Fused(), _Peak()
    with torch.device("meta"), torch.no_grad(), fused, peak:
        torch.func.functional_call(call.model, shapes, (), dict(call.inputs))
    return DryRun(peak_bytes=peak.bytes, attentions=tuple(fused.calls))


def _without_memory(tensor: torch.Tensor) -> torch.Tensor:
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return torch.empty_like(tensor, dtype=dtype, device="meta")


class _Fused(TorchFunctionMode):
    """Stands in for attention, which torch takes apart where nothing computes it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Attention] = []

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function is not functional.scaled_dot_product_attention:
            return function(*args, **(kwargs or {}))
        return self._attend(*args, **(kwargs or {}))

    def _attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_rest: Any, **_more: Any
    ) -> torch.Tensor:
        *heads, queries, width = query.shape
        self.calls.append(
            Attention(
                heads=torch.Size(heads).numel(),
                queries=queries,
                keys=key.shape[-2],
                width=width,
            )
        )
        return query.new_empty(*heads, queries, value.shape[-1])


class _Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of storages that are alive, and remembers the most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes: int = 0
        self._alive: int = 0
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, torch.Tensor):
                # What comes from outside is a weight, and counted elsewhere.
                self._seen.add(leaf.untyped_storage())
        found = outputs_of(function, args, kwargs or {})
        if found is NotImplemented:
            found = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor):
                self._note(leaf.untyped_storage())
        return found

    def _note(self, storage: Any) -> None:
        if storage in self._seen:
            return
        self._seen.add(storage)
        size_bytes = storage.nbytes()
        self._alive += size_bytes
        self.bytes = max(self.bytes, self._alive)
        weakref.finalize(storage, self._forget, size_bytes)

    def _forget(self, size_bytes: int) -> None:
        self._alive -= size_bytes
