# SPDX-License-Identifier: Apache-2.0
"""From a resident UNet to the libraries that its passes may run.

In: the model with its slots, and a folder. Out: what chooses among libraries, kept or built.
"""

from typing import Any

import torch

from tabard_server.engine.compiled.builder import Builder, Run
from tabard_server.engine.compiled.folder import LibraryFolder
from tabard_server.engine.compiled.library import tensors_of
from tabard_server.engine.compiled.order import BaseOrder
from tabard_server.engine.compiled.passes import CompiledPasses
from tabard_server.engine.compiled.ways import captured_way, way_of
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.costs import CAPTURED, Compiling


def libraries_of(
    unet: Any,
    *,
    binding: Binding,
    device: torch.device,
    dtype: torch.dtype,
    rank_rows: int,
    compiling: Compiling,
    run: Run | None = None,
) -> CompiledPasses:
    """Return the compiled passes of a UNet; nothing is built before one is wanted.

    Args:
        unet: On its device, its layers with tables of slots.
        binding: That of its layers.
        device: A CPU, or a CUDA device, where passes run as captured graphs.
        dtype: Of its weights.
        rank_rows: Rows of every table.
        compiling: How, and where they are kept.
        run: Builds a library; None: a process does.
    """
    compiler = CAPTURED if device.type == "cuda" else compiling.compiler
    config = {name: value for name, value in unet.config.items() if not name.startswith("_")}
    order = BaseOrder(
        config=config,
        dtype=str(dtype).removeprefix("torch."),
        rank_rows=rank_rows,
        compiler=compiler,
        device=device.type,
    )
    folder = LibraryFolder(compiling.root, key=order.key, bytes_max=compiling.bytes_max)
    return CompiledPasses(
        folder=folder,
        builder=Builder(order, folder=folder, run=run),
        tensors=lambda: tensors_of(unet),
        way=captured_way(unet, binding=binding, dtype=dtype)
        if compiler == CAPTURED
        else way_of(compiler),
    )
