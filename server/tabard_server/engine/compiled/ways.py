# SPDX-License-Identifier: Apache-2.0
"""The ways to make a graph of a UNet: AOTInductor's libraries, one of OpenVINO, captured graphs.

In: the name of a way. Out: what differs between them. Whatever is the same (orders, the folder, the
comparison, the trial) knows neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from tabard_server.engine.compiled.captured import CapturedGraphs
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.library import Library
from tabard_server.engine.compiled.openvino_graph import SAMPLES, OpenVinoGraph
from tabard_server.engine.slots.worn_rows import Binding, WornRows
from tabard_server.engine_port.costs import OPENVINO

LIBRARIES_MAX = 64
"""Of AOTInductor's, which are small."""


class Graph(Protocol):
    """A graph around the tensors of a UNet."""

    @property
    def is_ready(self) -> bool:
        """Say whether a pass can run it now.

        Raises:
            LibraryDamaged: It never will be.
        """

    def bind(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Use other tensors from now on."""

    def run(
        self,
        worn: WornRows | None,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        text: torch.Tensor,
        added: Mapping[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """Return the predictions; see `gather_inputs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way.

    Attributes:
        load: Makes a graph of a file around tensors.
        kind_of: Says which graph a kind of pass runs; None: it stays eager.
        wears_copies: Whether graphs run around a merged copy, too.
        graphs_max: In memory; kinds that come later stay eager.
        is_tried: Whether it is measured beside the eager way, and left where that is sooner.
    """

    load: Callable[[Path, Mapping[str, torch.Tensor]], Graph]
    kind_of: Callable[[PassShape], PassShape | None]
    wears_copies: bool
    graphs_max: int
    is_tried: bool = True


def way_of(name: str) -> Way:
    """Return the way of that name, `INDUCTOR` or `OPENVINO`."""
    if name == OPENVINO:
        return Way(load=OpenVinoGraph, kind_of=_of_size, wears_copies=False, graphs_max=1)
    return Way(
        load=lambda path, tensors: Library(path, tensors=tensors),
        kind_of=_of_everything,
        wears_copies=True,
        graphs_max=LIBRARIES_MAX,
    )


def captured_way(unet: Any, *, binding: Binding, dtype: torch.dtype) -> Way:
    """Return the way of graphs that are traced around a UNet in this process, on CUDA captured.

    There a step is handed over long before it is over: nobody could tell which way is sooner
    without waiting for the device.
    """
    graphs = CapturedGraphs(unet, binding=binding, dtype=dtype)
    return Way(
        load=graphs.load,
        kind_of=_of_everything,
        wears_copies=True,
        graphs_max=LIBRARIES_MAX,
        is_tried=False,
    )


def _of_everything(shape: PassShape) -> PassShape:
    return replace(shape, has_kernels=False)


def _of_size(shape: PassShape) -> PassShape | None:
    """Return the kind of the one graph that runs all passes of a size, samples two by two.

    Magnitudes scale a layer's own product, and larger kernels are bare there.
    """
    if shape.magnitudes or shape.has_kernels:
        return None
    return PassShape(samples=SAMPLES, height=shape.height, width=shape.width, tokens=shape.tokens)
