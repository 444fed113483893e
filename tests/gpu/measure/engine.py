# SPDX-License-Identifier: Apache-2.0
"""The engine itself: what a swap takes, and what a step asks of the device.

In: sizes, a folder. Out, told as it comes: milliseconds of a fill from pinned memory, launches and
waits of a step of eight rows, and the kernels that took longest.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.drawing import Drawing
from tabard_server.engine_port.row_spec import RowSpec
from tests.bench import full_size
from tests.gpu.measure.base import make_base
from tests.gpu.measure.sizes import Sizes
from tests.gpu.parts import Tell

ROWS = 8
SWAPS = 20
STEPS_BEFORE, STEPS_PROFILED = 3, 4
SAMPLERS = {
    "one sampler": ("ddim",) * ROWS,
    "eight samplers": (
        *("ddim", "euler", "euler_a", "lms"),
        *("dpmpp_2m", "dpmpp_2m_karras", "unipc", "heun"),
    ),
}
_LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")
_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
_COPIES = ("cudaMemcpy",)
_KERNELS_SHOWN = 12


def measure_engine(sizes: Sizes, folder: Path, tell: Tell) -> None:
    """Measure swaps, then profile steps of rows that wear different adapters."""
    base = make_base(folder, sizes=sizes)
    begun = time.perf_counter()
    engine = load_engine(
        EngineSettings(base=str(base), device=sizes.device, dtype=sizes.dtype, can_merge=False)
    )
    tell({"load_seconds": time.perf_counter() - begun, "fused_layers": engine.fused_layers})
    adapters = [_adapter(engine, seed=seed) for seed in range(ROWS)]
    tell(_swaps(engine, adapters))
    for name, samplers in SAMPLERS.items():
        tell({name: _profile(engine, adapters, samplers)})


def _adapter(engine: Engine, *, seed: int) -> HostAdapter:
    generator = torch.Generator().manual_seed(seed)
    layers = {
        (full_size.COMPONENT, name): PackedLayer(
            down=torch.randn(full_size.RANK, shape.inputs, generator=generator) * 0.01,
            up=torch.randn(full_size.RANK, shape.outputs, generator=generator) * 0.01,
        )
        for name, shape in full_size.adapted(engine.profile)
    }
    is_pinned = engine.device.startswith("cuda")
    return lay_out(layers, digest=f"sha256:{seed}", dtype=engine.dtype, is_pinned=is_pinned)


def _swaps(engine: Engine, adapters: Sequence[HostAdapter]) -> dict[str, Any]:
    """Time filling slots that are empty, until the device has done it."""
    milliseconds = []
    for number in range(SWAPS + len(adapters)):
        engine.slots.evict_idle()
        _wait(engine)
        begun = time.perf_counter()
        with engine.slots.held([adapters[number % len(adapters)]]):
            _wait(engine)
            if number >= len(adapters):
                milliseconds.append(1e3 * (time.perf_counter() - begun))
    return {
        "swap_ms": median(milliseconds),
        "swap_ms_most": max(milliseconds),
        "swap_bytes": adapters[0].resident_bytes,
    }


def _profile(
    engine: Engine, adapters: Sequence[HostAdapter], samplers: Sequence[str]
) -> dict[str, Any]:
    pixels = engine.facts.native_width
    specs = [
        RowSpec(
            drawing=Drawing(
                prompt="a red circle",
                steps=STEPS_BEFORE + STEPS_PROFILED + 1,
                guidance_scale=7.5,
                width=pixels,
                height=pixels,
                sampler=sampler,
            ),
            stack=((adapter, 0.8),),
            seed=seed,
        )
        for seed, (adapter, sampler) in enumerate(zip(adapters, samplers, strict=True))
    ]
    opened = engine.open_rows(specs)
    rows = [row for row in opened if isinstance(row, Row)]
    assert len(rows) == len(specs), opened
    for _ in range(STEPS_BEFORE):
        engine.step(rows)
    activities = [ProfilerActivity.CPU]
    if engine.device.startswith("cuda"):
        activities.append(ProfilerActivity.CUDA)
    _wait(engine)
    with profile(activities=activities) as seen:
        begun = time.perf_counter()
        for _ in range(STEPS_PROFILED):
            engine.step(rows)
        host_seconds = time.perf_counter() - begun
        _wait(engine)
        seconds = time.perf_counter() - begun
    for row in rows:
        engine.close_row(row)
    return {
        "step_ms": 1e3 * seconds / STEPS_PROFILED,
        "step_host_ms": 1e3 * host_seconds / STEPS_PROFILED,
        **_counted(seen),
    }


def _counted(seen: Any) -> dict[str, Any]:
    """Count what was asked of the device in a step, and name the longest kernels."""
    events = seen.key_averages()
    kernels = [one for one in events if one.self_device_time_total and "CPU" not in _where(one)]
    kernels.sort(key=lambda one: one.self_device_time_total, reverse=True)
    return {
        "launches": _count(events, _LAUNCHES),
        # The last wait is the measurement's own.
        "waits": max(0.0, _count(events, _WAITS) - 1 / STEPS_PROFILED),
        "copies": _count(events, _COPIES),
        "device_ms": sum(one.self_device_time_total for one in kernels) / 1e3 / STEPS_PROFILED,
        "longest": [
            {
                "kernel": one.key[:80],
                "ms": one.self_device_time_total / 1e3 / STEPS_PROFILED,
                "calls": one.count / STEPS_PROFILED,
            }
            for one in kernels[:_KERNELS_SHOWN]
        ],
    }


def _where(event: Any) -> str:
    return str(event.device_type)


def _count(events: Any, names: Sequence[str]) -> float:
    return sum(one.count for one in events if one.key.startswith(tuple(names))) / STEPS_PROFILED


def _wait(engine: Engine) -> None:
    if engine.device.startswith("cuda"):
        torch.cuda.synchronize()
