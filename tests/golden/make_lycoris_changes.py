# SPDX-License-Identifier: Apache-2.0
"""Writes `lycoris_changes.safetensors`: what LyCORIS does that is not low-rank, at three weights.

Not run by the tests. To make the file again, put lycoris-lora 4.1.3 and einops on the path and run
`python -m tests.golden.make_lycoris_changes`. It holds a layer and an input of each kind, and of
every case what LyCORIS saves and the outputs that its own forward gives in float64. LyCORIS inverts
matrices in float32; here it is made to do that in float64, too.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from lycoris.modules.boft import ButterflyOFTModule
from lycoris.modules.diag_oft import DiagOFTModule
from lycoris.modules.full import FullModule
from lycoris.modules.glora import GLoRAModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from safetensors.torch import save_file
from torch import nn

FILE = Path(__file__).with_name("lycoris_changes.safetensors")
WEIGHTS = (1.0, 0.5, -0.7)
CONSTRAINT = 1 / 128

_BOTH: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "full": (FullModule, {}),
    "lora": (LoConModule, {"lora_dim": 3, "alpha": 1.5}),
    "loha": (LohaModule, {"lora_dim": 2, "alpha": 1}),
    "lokr": (LokrModule, {"lora_dim": 1, "alpha": 0.5, "factor": 4}),
    "lokr whole": (LokrModule, {"lora_dim": 9, "alpha": 3, "factor": 4}),
    "lokr both": (LokrModule, {"lora_dim": 1, "alpha": 1, "factor": 4, "decompose_both": True}),
    "glora": (GLoRAModule, {"lora_dim": 3, "alpha": 2}),
    "oft": (DiagOFTModule, {"lora_dim": 4}),
    "oft rescaled": (DiagOFTModule, {"lora_dim": 4, "rescaled": True}),
    "oft bounded": (DiagOFTModule, {"lora_dim": 4, "constraint": CONSTRAINT}),
    "boft": (ButterflyOFTModule, {"lora_dim": 4}),
    "boft rescaled": (ButterflyOFTModule, {"lora_dim": 4, "rescaled": True}),
    "boft bounded": (ButterflyOFTModule, {"lora_dim": 4, "constraint": CONSTRAINT}),
    "ia3 outputs": (IA3Module, {}),
    "ia3 inputs": (IA3Module, {"train_on_input": True}),
}
_CONV: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "lora tucker": (LoConModule, {"lora_dim": 3, "alpha": 2, "use_tucker": True}),
    "loha tucker": (LohaModule, {"lora_dim": 2, "alpha": 1, "use_tucker": True}),
    "lokr tucker": (LokrModule, {"lora_dim": 1, "alpha": 0.5, "factor": 4, "use_tucker": True}),
}
_NORM: dict[str, tuple[type[Any], dict[str, Any]]] = {"norm": (NormModule, {})}
CASES = {
    "linear": _BOTH,
    "conv": {**_BOTH, **_CONV},
    "layer norm": _NORM,
    "group norm": _NORM,
}
LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(8, 16), (3, 8)),
    "conv": (lambda: nn.Conv2d(8, 16, 3, stride=2, padding=1), (1, 8, 4, 3)),
    "layer norm": (lambda: nn.LayerNorm(8), (3, 8)),
    "group norm": (lambda: nn.GroupNorm(2, 8), (1, 8, 2, 2)),
}


def main() -> None:
    """Write the file."""
    tensors: dict[str, torch.Tensor] = {}
    with mock.patch.object(torch.Tensor, "float", torch.Tensor.double), torch.no_grad():
        for seed, kind in enumerate(LAYERS):
            tensors.update(_of_kind(kind, torch.Generator().manual_seed(seed)))
    save_file({key: value.contiguous() for key, value in tensors.items()}, str(FILE))
    sys.stdout.write(f"{FILE}: {FILE.stat().st_size} bytes\n")


def _of_kind(kind: str, generator: torch.Generator) -> Iterator[tuple[str, torch.Tensor]]:
    make_layer, shape = LAYERS[kind]
    layer = make_layer()
    for key, parameter in layer.named_parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
        yield f"{kind}/base.{key}", parameter.data.clone()
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    yield f"{kind}/x", x
    state = layer.state_dict()
    for name, (module_type, options) in CASES[kind].items():
        fresh = make_layer()
        fresh.load_state_dict(state)
        for key, value in _case(module_type("layer", fresh, **options), fresh, x, generator):
            yield f"{kind}/{name}/{key}", value


def _case(
    module: Any, layer: nn.Module, x: torch.Tensor, generator: torch.Generator
) -> Iterator[tuple[str, torch.Tensor]]:
    for key, parameter in module.named_parameters():
        steps = torch.randint(-16, 17, parameter.shape, generator=generator) / 16
        parameter.data = 1 + steps if key == "rescale" else steps
    for key, value in _saved(module).items():
        yield f"saved.{key}", value.detach().clone().to(torch.float32)
    module.double().eval()
    layer.double()
    module.apply_to()
    # LyCORIS makes its identities in the default dtype.
    torch.set_default_dtype(torch.float64)
    for weight in WEIGHTS:
        module.multiplier = weight
        yield f"y{weight}", layer(x)
    torch.set_default_dtype(torch.float32)


def _saved(module: Any) -> dict[str, torch.Tensor]:
    """What it writes to a file; a full change would subtract a base that it does not hold yet."""
    if isinstance(module, FullModule):
        return {"diff": module.weight, "diff_b": module.bias}
    found: dict[str, torch.Tensor] = module.custom_state_dict() or module.state_dict()
    return {key: value for key, value in found.items() if key in module.weight_list}


if __name__ == "__main__":
    main()
