# SPDX-License-Identifier: Apache-2.0
"""Makes OpenVINO's graph of a UNet, in the process that builds; without weights.

In: an order. Out: a file of a few MiB where it was ordered. Ranks stay open, and nothing else.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.openvino_graph import import_openvino, write_graph
from tabard_server.engine.compiled.openvino_layers import INDEX, WEIGHT, TracedPass, blocks_of
from tabard_server.engine.compiled.order import BaseOrder

_SIDE, _RANKS = 8, 16
"""Of the pass that is traced."""
_ANY = -1


def build_graph(base: BaseOrder, unet: nn.Module, *, shape: PassShape, target: Path) -> None:
    """Trace, convert and write; `unet` is changed."""
    wanted = shape.inputs(base.config, dtype=torch.float32)
    # Traced where it is small: sizes are fixed afterwards.
    small = replace(shape, height=_SIDE, width=_SIDE).inputs(base.config, dtype=torch.float32)
    given = {name: torch.zeros(size, dtype=dtype) for name, (size, dtype) in small.items()}
    given[INDEX] = torch.zeros(shape.samples, _RANKS, dtype=torch.int64)
    given[WEIGHT] = torch.zeros(blocks_of(unet), shape.samples, 1, _RANKS)
    whole = TracedPass(unet, names=tuple(given), rank_rows=base.rank_rows).eval()
    inputs = (*given.values(), *whole.tensors.values())
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that are taken for fixed, which none here is
        trace: Any = torch.jit.trace
        traced = trace(whole, inputs, check_trace=False, strict=False)
    model = _convert(traced)
    sizes = {name: list(size) for name, (size, _) in wanted.items()}
    sizes[INDEX] = [shape.samples, _ANY]
    sizes[WEIGHT] = [*given[WEIGHT].shape[:3], _ANY]
    sizes |= {name: list(one.shape) for name, one in whole.tensors.items()}
    openvino = import_openvino()
    for parameter, (name, size) in zip(model.get_parameters(), sizes.items(), strict=True):
        parameter.set_friendly_name(name)
        parameter.output(0).get_tensor().set_names({name})
        parameter.set_partial_shape(openvino.PartialShape(size))
        parameter.set_element_type(openvino.Type.i64 if name == INDEX else openvino.Type.f32)
    model.validate_nodes_and_infer_types()
    write_graph(_simplified(model), target)


def _convert(traced: Any) -> Any:
    """Convert by the frontend alone: `openvino.convert_model` reports its use to its makers."""
    import_openvino()
    from openvino.frontend import FrontEndManager  # noqa: PLC0415 - an extra
    from openvino.frontend.pytorch.ts_decoder import (  # noqa: PLC0415 - likewise
        TorchScriptPythonDecoder,
    )

    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, skip_freeze=True)
    return frontend.convert(frontend.load(decoder))


def _simplified(model: Any) -> Any:
    from openvino._offline_transformations import (  # noqa: PLC0415 - an extra
        apply_moc_transformations,
    )

    apply_moc_transformations(model, True)
    model.validate_nodes_and_infer_types()
    return model
