# SPDX-License-Identifier: Apache-2.0
"""A pass by PyTorch's compiler in this process, on CUDA a captured graph: of kernels that are kept.

In: a kind of pass, and the UNet. Out: predictions. What a process beside the server has compiled
is found in inductor's folder; what is left for the first call is to trace and to capture.
"""

import copyreg
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tabard_server.engine.compiled.graph import PassShape, UNetPass, gather_inputs
from tabard_server.engine.compiled.library import LibraryDamaged
from tabard_server.engine.slots.worn_rows import Binding, WornRows

GRAPHS_MAX = 256
"""Graphs of one function that are kept: of all kinds of pass."""
_OPTIONS: dict[str, Any] = {"mode": "reduce-overhead"}


def compile_pass(function: Any) -> Any:
    """Return a function that is compiled at its first call, and captured on CUDA.

    Inductor's keys hold memory formats as pickle writes them: by whichever module was the first to
    import torch. That differs between a server and the process that compiles for it.
    """
    copyreg.pickle(torch.memory_format, _describe_format)
    torch._dynamo.config.recompile_limit = GRAPHS_MAX
    torch._dynamo.config.accumulated_recompile_limit = 4 * GRAPHS_MAX
    return torch.compile(function, fullgraph=True, dynamic=False, **_OPTIONS)


def write_mark(path: Path, shape: PassShape) -> None:
    """Lay down that the kernels of a kind of pass are there."""
    path.write_text(json.dumps(asdict(shape)), encoding="utf-8")


class CapturedGraphs:
    """The graphs of one UNet, by kinds of pass: one for the base and whatever copy it wears."""

    def __init__(self, unet: Any, *, binding: Binding, dtype: torch.dtype) -> None:
        """Take the UNet, what binds rows to its layers, and the dtype of its weights."""
        self._unet, self._binding, self._dtype = unet, binding, dtype
        self._found: dict[PassShape, CapturedGraph] = {}

    def load(self, path: Path, _tensors: Mapping[str, torch.Tensor]) -> "CapturedGraph":
        """Return the graph of a mark, which is traced at its first run.

        Raises:
            LibraryDamaged: The file is no mark.
        """
        try:
            shape = PassShape(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise LibraryDamaged(f"it is no mark of a graph: {error}") from error
        if shape not in self._found:
            whole = pass_of(self._unet, binding=self._binding, shape=shape, dtype=self._dtype)
            self._found[shape] = CapturedGraph(compile_pass(whole))
        return self._found[shape]


class CapturedGraph:
    """One graph; it runs around what the UNet has at the time, as its module does."""

    is_ready = True

    def __init__(self, run: Any) -> None:
        self._run = run

    def bind(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Change nothing: it looks at the UNet itself."""

    def run(
        self,
        worn: WornRows | None,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        text: torch.Tensor,
        added: Mapping[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """Return the predictions; see `gather_inputs`."""
        found: torch.Tensor = self._run(*gather_inputs(worn, latents, timesteps, text, added))
        # The memory of a captured graph is written again by its next replay.
        return found.clone()


def pass_of(unet: Any, *, binding: Binding, shape: PassShape, dtype: torch.dtype) -> nn.Module:
    """Return a kind of pass as a function of tensors, the same in every process."""
    names = list(shape.inputs(unet.config, dtype=dtype))
    return UNetPass(unet, binding=binding, shape=shape, names=names).eval()


def _describe_format(kind: torch.memory_format) -> tuple[Any, tuple[str]]:
    return _format_named, (str(kind).removeprefix("torch."),)


def _format_named(name: str) -> torch.memory_format:
    found: torch.memory_format = getattr(torch, name)
    return found
