# SPDX-License-Identifier: Apache-2.0
"""A graph that is built has sizes, arguments and no weights."""

from pathlib import Path
from typing import Any

from tabard_server.engine.compiled.library import tensors_of
from tabard_server.engine.compiled.openvino_graph import import_openvino, read_graph
from tabard_server.engine.compiled.openvino_layers import wears_here


def test_every_tensor_is_an_argument(unet: Any, kept_graph: Path) -> None:
    """Ranks are open, sizes are those that were ordered, and the file holds no weight."""
    model = import_openvino().Core().read_model(*read_graph(kept_graph))
    sizes = {
        one.get_friendly_name(): str(one.get_partial_shape()) for one in model.get_parameters()
    }
    worn = {name for name, module in unet.named_modules() if wears_here(module)}
    tensors = {
        name.removeprefix("unet.")
        for name in tensors_of(unet)
        if ".slot_" not in name or name.removeprefix("unet.").rpartition(".")[0] in worn
    }
    assert {*sizes} == {*tensors, "latents", "timesteps", "text", "index", "weight"}
    assert (sizes["latents"], sizes["index"]) == ("[2,4,8,8]", "[2,?]")
    assert sorted(one.name for one in kept_graph.parent.iterdir()) == ["one.json", "one.so"]
