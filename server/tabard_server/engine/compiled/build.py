# SPDX-License-Identifier: Apache-2.0
"""A process that builds one library: `python -m tabard_server.engine.compiled.build < order`.

In: an order, on standard input. Out: the library where it was ordered, beside it what tensors it
wants, and on the last line what it took. It has no weights, and ends with who started it.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from tabard_server.engine.compiled.captured import compile_pass, pass_of, write_mark
from tabard_server.engine.compiled.graph import UNetPass
from tabard_server.engine.compiled.library import tensors_of
from tabard_server.engine.compiled.order import Order
from tabard_server.engine.slots.slotted_layers import add_slots, is_slottable
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.costs import CAPTURED, INDUCTOR, OPENVINO
from tabard_server.engine_port.weights.blocks import Blocks

_NICENESS = 10
_PR_SET_PDEATHSIG = 1


def build(order: Order) -> None:
    """Compile a library, and lay it and its wishes down; the wishes last."""
    begun_at = time.monotonic()
    torch.set_num_threads(order.threads)
    ways = {INDUCTOR: _build_library, OPENVINO: _build_graph, CAPTURED: _build_kernels}
    wants = ways[order.base.compiler](order)
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu_seconds = sum(one.ru_utime + one.ru_stime for one in used)
    took = {"seconds": time.monotonic() - begun_at, "cpu_seconds": cpu_seconds}
    order.target.with_suffix(".json").write_text(json.dumps({"wants": wants, **took}))
    print(json.dumps(took))


def _build_graph(order: Order) -> dict[str, Any]:
    """Lay down OpenVINO's graph; it wants nothing that its arguments do not say."""
    from tabard_server.engine.compiled.openvino_build import build_graph  # noqa: PLC0415 - an extra

    build_graph(order.base, _bare_unet(order), shape=order.shape, target=order.target)
    return {}


def _build_kernels(order: Order) -> dict[str, Any]:
    """Run a pass once as the server will, so that inductor keeps its kernels; lay down a mark."""
    binding, dtype = Binding(), getattr(torch, order.base.dtype)
    unet = _new_unet(order, binding=binding).to(order.base.device)
    whole = pass_of(unet, binding=binding, shape=order.shape, dtype=dtype)
    sizes = order.shape.inputs(order.base.config, dtype=dtype).values()
    inputs = [torch.zeros(size, dtype=kind, device=order.base.device) for size, kind in sizes]
    with torch.inference_mode():
        compile_pass(whole)(*inputs)
    write_mark(order.target, order.shape)
    return {}


def _build_library(order: Order) -> dict[str, Any]:
    """Lay down AOTInductor's library; return what tensors it wants."""
    binding, dtype = Binding(), getattr(torch, order.base.dtype)
    unet = _new_unet(order, binding=binding)
    sizes = order.shape.inputs(order.base.config, dtype=dtype)
    inputs = tuple(torch.zeros(size, dtype=kind) for size, kind in sizes.values())
    whole = UNetPass(unet, binding=binding, shape=order.shape, names=list(sizes)).eval()
    with torch.no_grad():
        exported = torch.export.export(whole, inputs, strict=False)
        library = _compile(exported, beside=order.target)
    tensors = tensors_of(unet)
    _require_whole(library, tensors=tensors, is_worn=bool(order.shape.rows))
    library.replace(order.target)
    return {name: _describe(one) for name, one in tensors.items()}


def _bare_unet(order: Order) -> nn.Module:
    """Make the UNet as diffusers has it; nobody writes its memory, so it takes none."""
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(dict(order.base.config))
    nn.Module.to(unet, dtype=getattr(torch, order.base.dtype))
    nn.Module.to_empty(unet, device="cpu")
    unet.eval().requires_grad_(False)
    return unet  # type: ignore[no-any-return]


def _new_unet(order: Order, *, binding: Binding) -> nn.Module:
    """Make the UNet as an engine has it, with slots."""
    unet: Any = _bare_unet(order)
    unet.to(memory_format=torch.channels_last)
    modules = list(unet.named_modules())
    blocks = Blocks(name for name, _ in modules)
    for name, module in modules:
        if is_slottable(module):
            add_slots(
                module,
                binding=binding,
                rank_rows=order.base.rank_rows,
                block=blocks.index_of(name),
                has_tables=True,
            )
    return unet  # type: ignore[no-any-return]


def _compile(exported: Any, *, beside: Path) -> Path:
    """Compile a graph whose weights come later; return the library, taken out of its package."""
    from torch._inductor import aoti_compile_and_package  # noqa: PLC0415 - a second of imports
    from torch._inductor.graph import GraphLowering  # noqa: PLC0415 - likewise

    # Vectors of a few values would be written into the kernels, and here they have none yet.
    setattr(GraphLowering, "can_inline_constant", staticmethod(lambda _tensor: False))  # noqa: B010
    package = aoti_compile_and_package(
        exported,
        package_path=str(beside.with_suffix(".pt2")),
        inductor_configs={"aot_inductor.package_constants_in_so": False},
    )
    with zipfile.ZipFile(package) as packed:
        (name,) = [one for one in packed.namelist() if one.endswith(".so")]
        library = beside.with_suffix(".so.partial")
        library.write_bytes(packed.read(name))
    Path(package).unlink()
    return library


def _require_whole(library: Path, *, tensors: Mapping[str, torch.Tensor], is_worn: bool) -> None:
    """Refuse a library that does not ask for every tensor: it would have a value of its own."""
    runner: Any = torch._C._aoti.AOTIModelContainerRunnerCpu(str(library), 1)
    asked = {*runner.get_constant_names_to_original_fqns().values()}
    needed = {name for name in tensors if is_worn or ".slot_" not in name}
    if asked != needed:
        raise SystemExit(f"the library asks for other tensors: {sorted(asked ^ needed)[:3]}")


def _describe(tensor: torch.Tensor) -> list[Any]:
    return [list(tensor.shape), list(tensor.stride()), str(tensor.dtype).removeprefix("torch.")]


def _end_with_parent() -> None:
    """Be ended by the kernel when the server is gone, however it went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _end_with_parent()
    os.nice(_NICENESS)
    build(Order.from_json(sys.stdin.read()))
