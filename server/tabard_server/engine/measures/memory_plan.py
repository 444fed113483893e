# SPDX-License-Identifier: Apache-2.0
"""What an engine will use of its device, said before anything is put there.

In: a base in memory, and the engine's bounds. Out: bytes by purpose, or a refusal. Activations are
counted by passes that compute nothing: shapes only, on tensors without memory.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.profile import named_layers
from tabard_server.engine.measures.dry_run import DryRuns
from tabard_server.engine.networks.precision import component_dtype, stored_weights
from tabard_server.engine.sampling.tiles import whole_pixels_max
from tabard_server.engine.slots.binding import GATHERED_BYTES_MAX
from tabard_server.engine.slots.packed_weights import can_pack, packable_bytes
from tabard_server.engine.slots.slot_table import table_rows
from tabard_server.engine.slots.slotted_layers import is_slottable
from tabard_server.engine.text.told import TOLD_BATCHES
from tabard_server.engine_port.memory import (
    TEXT_BYTES_MAX,
    MemoryPlan,
    PassBytes,
    Tiling,
    choose_plan,
)
from tabard_server.engine_port.work import GUIDED_SAMPLES, Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenToAlive:
    """What a device takes for a pass, as a multiple of the bytes that are alive in it."""

    step: float
    image: float


SEEN_TO_ALIVE = {
    "cpu": SeenToAlive(step=1.6, image=1.2),
    "cuda": SeenToAlive(step=1.3, image=1.3),
}
"""As measured, see docs/decisions/0023. On a CPU the allocator keeps the holes of freed tensors
below 32 MiB, of which decoding has few. On CUDA it is a guess until the engine has measured it.
"""
OPENVINO_TO_WEIGHTS = 2.2
"""What OpenVINO's graph takes, of the UNet's weights: as measured, see docs/decisions/0076."""
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def plan_memory(
    base: Base,
    *,
    walked: DryRuns,
    dtype: torch.dtype,
    slot_rank_total: int,
    rows_per_step_max: int | None,
    can_merge: bool | None,
    device: torch.device,
    free_bytes: int | None,
    text_bytes_max: int = TEXT_BYTES_MAX,
    has_openvino: bool = False,
    has_builder: bool = False,
) -> MemoryPlan:
    """Add up what an engine of these bounds will use, and choose those that are not given.

    Args:
        base: Its weights are on the CPU.
        walked: Its passes.
        dtype: In which they will be served.
        slot_rank_total: Rank rows of all slots together.
        rows_per_step_max: Rows that share a forward pass; None: chosen.
        can_merge: Whether there may be a merged copy; None: chosen.
        device: Where they will be served.
        free_bytes: What there is for all of it, the base included; None: unknown.
        text_bytes_max: Encoded prompts that shall be kept, where there is room.
        has_openvino: Whether the UNet runs in OpenVINO, too.
        has_builder: Whether a process beside compiles it on the same device: it has a UNet with
            slots of its own there, and runs a step of it.
    """
    native = (base.native_pixels, base.native_pixels)
    passes = _passes(base, walked, dtype=dtype, device=device)
    slots = _slots(base, rank_rows=table_rows(slot_rank_total)) * dtype.itemsize
    weights = sum(map(_values, base.models.values())) * dtype.itemsize - _saved(base, dtype=dtype)
    # One that is told how strongly to follow its text draws no second sample without it.
    samples = GUIDED_SAMPLES if base.network.guidance == "classifier_free" else 1
    told = TOLD_BATCHES * samples * _words(base) * dtype.itemsize
    own = _values(base.network.module) * dtype.itemsize
    adaptable = sum(_values(base.models[component]) for component in base.adaptable)

    def plan_of(rows: int, has_copy: bool) -> MemoryPlan:
        activations = passes.of(native, samples=samples * rows)
        compiled = round(OPENVINO_TO_WEIGHTS * own) if has_openvino else 0
        return MemoryPlan(
            base=weights,
            slots=slots,
            merged=adaptable * dtype.itemsize if has_copy else 0,
            gathered=min(GATHERED_BYTES_MAX, rows * slots) + rows * told,
            activations=activations,
            passes=passes,
            free=free_bytes,
            rows_per_step=rows,
            samples_per_row=samples,
            compiled=own + slots + activations if has_builder else compiled,
            # On a CPU host memory is where they lie.
            texts_movable=_texts(base, dtype=dtype) if device.type == "cuda" else (),
        )

    plan = choose_plan(plan_of, rows=rows_per_step_max, has_copy=can_merge)
    plan = plan.keeping_texts(text_bytes_max)
    if device.type == "cuda":
        return plan.decoding_beside(native)
    if not can_pack(device=device, dtype=dtype):
        return plan
    return plan.packing(packable_bytes(base.network.module) * (2 if plan.merged else 1))


def free_bytes(device: torch.device, *, base: Base) -> int | None:
    """Return what a device has for a server, a base that lies there already included."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    left = [found for found in (_machine_left(), _cgroup_left()) if found is not None]
    loaded = sum(_values(model) * 4 for model in base.models.values())
    return min(left) + loaded if left else None


def _slots(base: Base, *, rank_rows: int) -> int:
    """Return the values of the tables beside all layers."""
    widths = sum(
        module.weight.shape[0] + module.weight[0].numel()
        for component in base.adaptable
        for _, module in named_layers(base, component)
        if is_slottable(module) and isinstance(module.weight, torch.Tensor)
    )
    return rank_rows * widths


def _words(base: Base) -> int:
    """Return the values that say one text to the network."""
    return base.text_tokens * base.network.text_width


def _passes(base: Base, walked: DryRuns, *, dtype: torch.dtype, device: torch.device) -> PassBytes:
    """Return what passes take: all that lives in them is as wide as the picture, so one size tells.

    Beside it a convolution may lay its weights out anew.
    """
    native = base.native_pixels
    vae = component_dtype("vae", base.vae.config, family=base.family, dtype=dtype)
    wide = vae.itemsize
    step = walked.step.peak_bytes * dtype.itemsize / 4
    image = max(walked.decoding.peak_bytes, walked.encoding.peak_bytes)
    seen = SEEN_TO_ALIVE.get(device.type, SEEN_TO_ALIVE["cuda"])
    return PassBytes(
        step=Curve(
            fixed=_largest_weight(base.network.module) * dtype.itemsize,
            linear=seen.step * step / native**2,
        ),
        image=Curve(
            fixed=_largest_weight(base.vae) * wide, linear=seen.image * image * wide / 4 / native**2
        ),
        tiling=tiling_of(base, itemsize=wide),
    )


def tiling_of(base: Base, *, itemsize: int) -> Tiling:
    """Return how a base's large pictures are worked through, by values of so many bytes.

    Tiles that overlap, the rows and the picture that are made of them, and its pixels on their way
    out: seven times its values.
    """
    native = base.native_pixels
    return Tiling(
        tile=(native, native),
        whole_pixels_max=whole_pixels_max(native),
        pixel_bytes=7 * int(base.vae.config.out_channels) * itemsize,
    )


def _largest_weight(model: Any) -> int:
    return max(int(parameter.numel()) for parameter in model.parameters())


def _texts(base: Base, *, dtype: torch.dtype) -> tuple[int, ...]:
    """Return what each text encoder takes, its slots aside."""
    return tuple(dtype.itemsize * _values(part.model) for part in base.text_parts)


def _saved(base: Base, *, dtype: torch.dtype) -> int:
    """Return what it saves that some weights are kept narrower than they are computed in."""
    storage, network = base.precision.storage, base.network
    if storage is None:
        return 0
    names = stored_weights(network.component, network.module, precision=base.precision)
    values = sum(int(network.module.get_parameter(name).numel()) for name in names)
    return values * (dtype.itemsize - storage.itemsize)


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
