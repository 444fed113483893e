# SPDX-License-Identifier: Apache-2.0
"""What an engine will use of its device, said before anything is put there.

In: a base in memory, and the engine's bounds. Out: bytes by purpose, or a refusal. Activations are
measured by a forward pass that computes nothing: shapes only, on tensors without memory.
"""

import weakref
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.profile import named_layers
from tabard_server.engine.slots.binding import GATHERED_BYTES_MAX
from tabard_server.engine.slots.slot_table import table_rows
from tabard_server.engine.slots.slotted_layers import is_slottable
from tabard_server.engine_port.memory import MemoryPlan

_WORDS = 77
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def plan_memory(
    base: Base,
    *,
    dtype: torch.dtype,
    slot_rank_total: int,
    rows_per_step_max: int,
    can_merge: bool,
    free_bytes: int | None,
) -> MemoryPlan:
    """Add up what an engine of these bounds will use.

    Args:
        base: Its weights are on the CPU.
        dtype: In which they will be served.
        slot_rank_total: Rank rows of all slots together.
        rows_per_step_max: Rows that share a forward pass.
        can_merge: Whether there may be a merged copy.
        free_bytes: What there is for all of it, the base included; None: unknown.
    """
    widths = sum(
        module.weight.shape[0] + module.weight[0].numel()
        for component in base.adaptable
        for _, module in named_layers(base, component)
        if is_slottable(module) and isinstance(module.weight, torch.Tensor)
    )
    slots = table_rows(slot_rank_total) * widths * dtype.itemsize
    adaptable = sum(_values(base.models[component]) for component in base.adaptable)
    return MemoryPlan(
        base=sum(map(_values, base.models.values())) * dtype.itemsize,
        slots=slots,
        merged=adaptable * dtype.itemsize if can_merge else 0,
        gathered=min(GATHERED_BYTES_MAX, rows_per_step_max * slots),
        activations=_activations(base, dtype=dtype, samples=2 * rows_per_step_max),
        free=free_bytes,
    )


def free_bytes(device: torch.device, *, base: Base) -> int | None:
    """Return what a device has for a server, a base that lies there already included."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    left = [found for found in (_machine_left(), _cgroup_left()) if found is not None]
    loaded = sum(_values(model) * 4 for model in base.models.values())
    return min(left) + loaded if left else None


def _activations(base: Base, *, dtype: torch.dtype, samples: int) -> int:
    """Return the peak of live bytes in a step, or in the decoding of an image if that is more."""
    side = base.native_pixels // base.latent_factor
    with torch.device("meta"), torch.no_grad():
        step = _peak(
            base.unet,
            torch.empty(1, base.unet.config.in_channels, side, side),
            torch.zeros(1, dtype=torch.long),
            encoder_hidden_states=torch.empty(1, _WORDS, base.unet.config.cross_attention_dim),
            added_cond_kwargs=_added(base),
        )
        latents = torch.empty(1, base.vae.config.latent_channels, side, side)
        decoding = _peak(base.vae.decoder, latents)
    # Measured in float32, as the base lies there.
    return max(samples * step * dtype.itemsize // 4, decoding)


def _peak(model: nn.Module, *inputs: torch.Tensor, **more: Any) -> int:
    """Return the most bytes that are alive during a call of a model whose weights are elsewhere."""
    named = (*model.named_parameters(), *model.named_buffers())
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in named}
    peak = _Peak()
    with peak:
        torch.func.functional_call(model, shapes, inputs, more)
    return peak.bytes


def _added(base: Base) -> dict[str, torch.Tensor] | None:
    pooled = [part.model.config.projection_dim for part in base.text_parts if part.is_pooled]
    if base.unet.config.addition_embed_type is None:
        return None
    return {"text_embeds": torch.empty(1, pooled[-1]), "time_ids": torch.empty(1, 6)}


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


def _values(model: nn.Module) -> int:
    return sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))


def _machine_left() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kibibytes = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((int(text) * 1024 for text in kibibytes), None)


def _cgroup_left() -> int | None:
    """Return what the container has left, where a limit is set for one."""
    for limit, used in (
        (_CGROUP / "memory.max", _CGROUP / "memory.current"),
        (_CGROUP / "memory/memory.limit_in_bytes", _CGROUP / "memory/memory.usage_in_bytes"),
    ):
        try:
            most, taken = limit.read_text(encoding="ascii"), used.read_text(encoding="ascii")
        except OSError:
            continue
        return int(most) - int(taken) if most.strip().isdigit() else None
    return None
