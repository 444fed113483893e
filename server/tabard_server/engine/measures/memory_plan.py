# SPDX-License-Identifier: Apache-2.0
"""What an engine will use of its device, said before anything is put there.

In: a base in memory, and the engine's bounds. Out: bytes by purpose, or a refusal. Activations are
counted by passes that compute nothing: shapes only, on tensors without memory.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from tabard_server.engine.base.families import vae_dtype
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.profile import named_layers
from tabard_server.engine.measures.dry_run import run_dry
from tabard_server.engine.measures.passes import decoding, denoising, encoding
from tabard_server.engine.slots.binding import GATHERED_BYTES_MAX
from tabard_server.engine.slots.slot_table import table_rows
from tabard_server.engine.slots.slotted_layers import is_slottable
from tabard_server.engine_port.memory import MemoryPlan, PassBytes
from tabard_server.engine_port.work import GUIDED_SAMPLES, Curve

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
    native, passes = (base.native_pixels, base.native_pixels), _passes(base, dtype=dtype)
    return MemoryPlan(
        base=sum(map(_values, base.models.values())) * dtype.itemsize,
        slots=slots,
        merged=adaptable * dtype.itemsize if can_merge else 0,
        gathered=min(GATHERED_BYTES_MAX, rows_per_step_max * slots),
        activations=passes.of(native, samples=GUIDED_SAMPLES * rows_per_step_max),
        passes=passes,
        free=free_bytes,
    )


def free_bytes(device: torch.device, *, base: Base) -> int | None:
    """Return what a device has for a server, a base that lies there already included."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    left = [found for found in (_machine_left(), _cgroup_left()) if found is not None]
    loaded = sum(_values(model) * 4 for model in base.models.values())
    return min(left) + loaded if left else None


def _passes(base: Base, *, dtype: torch.dtype) -> PassBytes:
    """Return what passes keep alive: all of it is as wide as the picture, so one size tells."""
    meta, native = torch.device("meta"), base.native_pixels
    side = native // base.latent_factor
    # Walked in float32, as the base lies there.
    asked: dict[str, Any] = {"side": side, "device": meta, "dtype": torch.float32}
    step = run_dry(denoising(base, **asked)).peak_bytes * dtype.itemsize // 4
    wide = vae_dtype(base.vae.config, family=base.family, dtype=dtype).itemsize
    image = max(run_dry(make(base, **asked)).peak_bytes for make in (decoding, encoding))
    return PassBytes(
        step=Curve(linear=step / native**2), image=Curve(linear=image * wide / 4 / native**2)
    )


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
