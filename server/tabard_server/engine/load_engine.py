# SPDX-License-Identifier: Apache-2.0
"""From settings to an engine that is ready: the device, the base, the plan, the slots."""

import os
from dataclasses import dataclass, field

import torch

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.schedules.schedule import Asked
from tabard_server.engine.compiled.folder import kernels_folder
from tabard_server.engine.compiled.order import tools_key
from tabard_server.engine.engine import Engine
from tabard_server.engine.measures.dry_run import walk_through
from tabard_server.engine.measures.memory_plan import free_bytes, plan_memory
from tabard_server.engine_port.costs import OPENVINO, Compiling
from tabard_server.engine_port.device import DEVICES, DTYPES, STORAGE_DTYPES
from tabard_server.engine_port.errors import BaseNotLoadable
from tabard_server.engine_port.loading_stage import Stage, Tell, tell_nobody
from tabard_server.engine_port.memory import TEXT_BYTES_MAX

_KERNELS_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
_DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in DTYPES if name != "auto"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How to load an engine.

    Attributes:
        base: `demo`, a diffusers folder, a `.safetensors` file, or a hub id.
        base_config: For a single file: folder or hub id with its configs and tokenizer.
        asked: What the operator says of the base, against its own words.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ….
        dtype: `auto` (float32 on a CPU; on CUDA float16, bfloat16 where that overflows) or a torch
            dtype's name.
        storage_dtype: What most weights of the network are kept in: `float8_e4m3fn`, `float8_e5m2`,
            or None for `dtype`.
        slot_rank_total: Rank rows of all slots together.
        torch_threads: CPU threads of torch; None: torch's own choice.
        compiling: How the UNet is compiled; None: it is not.
        can_merge: Whether there may be a merged copy of the base; None: where it fits.
        rows_per_step_max: Rows that may share a forward pass; None: as many as fit, up to a few.
        memory_bytes_max: What may be used of the device; None: what it has.
        text_bytes_max: Encoded prompts that are kept there, if there is room.
    """

    base: str
    base_config: str | None = None
    asked: Asked = field(default_factory=Asked)
    device: str = "auto"
    dtype: str = "auto"
    storage_dtype: str | None = None
    slot_rank_total: int = 256
    torch_threads: int | None = None
    compiling: Compiling | None = None
    can_merge: bool | None = None
    rows_per_step_max: int | None = None
    memory_bytes_max: int | None = None
    text_bytes_max: int = TEXT_BYTES_MAX


def load_engine(settings: EngineSettings, *, tell: Tell = tell_nobody) -> Engine:
    """Load the base and give it slots; `tell` hears of every stage.

    Raises:
        BaseNotLoadable: The base cannot be loaded, or the device or dtype is not to be had.
        MemoryTooSmall: Neither what is asked for fits into the device's memory, nor, where nothing
            is asked, one row without a merged copy.
    """
    if settings.torch_threads is not None:
        torch.set_num_threads(settings.torch_threads)
    device = find_device(settings.device)
    compiling, most = settings.compiling, settings.memory_bytes_max
    if compiling is not None and device.type == "cuda" and not os.environ.get(_KERNELS_VARIABLE):
        # Captured graphs are made in this process, of kernels that PyTorch keeps there: it finds
        # what a process beside it has compiled.
        key, bytes_max = tools_key(device.type), compiling.bytes_max
        kernels = kernels_folder(compiling.root, key=key, bytes_max=bytes_max)
        os.environ[_KERNELS_VARIABLE] = str(kernels)
    wanted, storage = _find_dtype(settings.dtype, device=device), settings.storage_dtype
    is_openvino = compiling is not None and compiling.compiler == OPENVINO
    if is_openvino and (device.type, wanted, storage) != ("cpu", torch.float32, None):
        said = storage or str(wanted).removeprefix("torch.")
        raise BaseNotLoadable(
            f"OpenVINO computes float32 on a CPU here, and not {said} on {device}",
            hint="leave dtype and storage_dtype out and choose the device cpu, or say "
            "compiled = true",
        )
    base = load_base(
        settings.base,
        config=settings.base_config,
        asked=settings.asked,
        dtype=wanted,
        storage=_find_storage(storage),
        tell=tell,
    )
    dtype = base.precision.dtype
    tell(Stage(name="planning its memory"))
    walked = walk_through(base)
    plan = plan_memory(
        base,
        walked=walked,
        dtype=dtype,
        slot_rank_total=settings.slot_rank_total,
        rows_per_step_max=settings.rows_per_step_max,
        can_merge=settings.can_merge,
        device=device,
        free_bytes=free_bytes(device, base=base) if most is None else most,
        text_bytes_max=settings.text_bytes_max,
        has_openvino=is_openvino and base.network.library_config is not None,
        has_builder=compiling is not None
        and device.type == "cuda"
        and base.network.library_config is not None
        and base.precision.storage is None,
    )
    plan.require()
    tell(Stage(name=f"moving it to {device}", size_bytes=plan.base + plan.slots + plan.merged))
    engine = Engine(
        base,
        plan=plan,
        device=device,
        dtype=dtype,
        slot_rank_total=settings.slot_rank_total,
        compiling=compiling,
        can_merge=plan.merged > 0,
    )
    tell(Stage(name="measuring its passes"))
    engine.calibrate(walked)
    return engine


def _find_dtype(name: str, *, device: torch.device) -> torch.dtype | None:
    """Return the dtype that a word of the settings means; None: a narrow one, by the base."""
    if name == "auto":
        return None if device.type == "cuda" else torch.float32
    if name not in _DTYPES:
        raise BaseNotLoadable(
            f"no dtype is called {name!r}", hint=f"choose one of: {', '.join(DTYPES)}"
        )
    return _DTYPES[name]


def _find_storage(name: str | None) -> torch.dtype | None:
    if name is not None and name not in STORAGE_DTYPES:
        raise BaseNotLoadable(
            f"no storage dtype is called {name!r}",
            hint=f"choose one of: {', '.join(STORAGE_DTYPES)}",
        )
    return None if name is None else getattr(torch, name)


def find_device(name: str) -> torch.device:
    """Return the device that a word of the settings means.

    Raises:
        BaseNotLoadable: It is not to be had.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BaseNotLoadable(f"no device is called {name!r}", hint=f"write {DEVICES}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BaseNotLoadable(
            "CUDA is asked for, and torch finds no device that it can use",
            hint="look at the driver's version, or use the device cpu",
        )
    return device
