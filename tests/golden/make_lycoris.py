# SPDX-License-Identifier: Apache-2.0
"""Writes `lycoris.safetensors`: layers as LyCORIS itself trains, saves and runs them.

Not run by the tests. To make the file again, put lycoris-lora 4.1.3 and einops on the path and run
`python -m tests.golden.make_lycoris`. Every case holds the base layer, what LyCORIS saves, an input
and the output that its own forward gives in float64. Factors are multiples of 1/16, so that
multiplying them out rounds nothing.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from safetensors.torch import save_file
from torch import nn

FILE = Path(__file__).with_name("lycoris.safetensors")
LINEAR = (12, 16)
CONV = (8, 16)

CASES: dict[str, tuple[type[Any], bool, dict[str, Any]]] = {
    "locon linear": (LoConModule, False, {"lora_dim": 3, "alpha": 1.5}),
    "locon conv": (LoConModule, True, {"lora_dim": 3, "alpha": 2}),
    "locon tucker": (LoConModule, True, {"lora_dim": 3, "alpha": 2, "use_tucker": True}),
    "loha linear": (LohaModule, False, {"lora_dim": 2, "alpha": 1}),
    "loha conv": (LohaModule, True, {"lora_dim": 2, "alpha": 1}),
    "loha tucker": (LohaModule, True, {"lora_dim": 2, "alpha": 1, "use_tucker": True}),
    "lokr linear": (LokrModule, False, {"lora_dim": 1, "alpha": 0.5, "factor": 4}),
    "lokr both": (
        LokrModule,
        False,
        {"lora_dim": 1, "alpha": 0.5, "factor": 4, "decompose_both": True},
    ),
    "lokr whole": (LokrModule, False, {"lora_dim": 9, "alpha": 3, "factor": 4}),
    "lokr conv": (LokrModule, True, {"lora_dim": 1, "alpha": 0.5, "factor": 2}),
    "lokr tucker": (
        LokrModule,
        True,
        {"lora_dim": 1, "alpha": 0.5, "factor": 2, "use_tucker": True},
    ),
    "lokr conv whole": (LokrModule, True, {"lora_dim": 9, "alpha": 3, "factor": 2}),
    "dora linear": (LoConModule, False, {"lora_dim": 3, "alpha": 1.5, "weight_decompose": True}),
    "dora conv": (LoConModule, True, {"lora_dim": 3, "alpha": 2, "weight_decompose": True}),
    "dora linear inputs": (
        LoConModule,
        False,
        {"lora_dim": 3, "alpha": 1.5, "weight_decompose": True, "wd_on_out": False},
    ),
    "dora conv inputs": (
        LoConModule,
        True,
        {"lora_dim": 3, "alpha": 2, "weight_decompose": True, "wd_on_out": False},
    ),
    "doha conv": (LohaModule, True, {"lora_dim": 2, "alpha": 1, "weight_decompose": True}),
    "dokr linear": (
        LokrModule,
        False,
        {"lora_dim": 1, "alpha": 0.5, "factor": 4, "weight_decompose": True},
    ),
}


def main() -> None:
    """Write the file."""
    tensors: dict[str, torch.Tensor] = {}
    for seed, (name, (kind, is_conv, options)) in enumerate(CASES.items()):
        generator = torch.Generator().manual_seed(seed)
        tensors.update({f"{name}/{k}": v for k, v in _case(kind, is_conv, options, generator)})
    save_file({key: value.contiguous() for key, value in tensors.items()}, str(FILE))
    sys.stdout.write(f"{FILE}: {FILE.stat().st_size} bytes\n")


def _case(
    kind: type[Any], is_conv: bool, options: dict[str, Any], generator: torch.Generator
) -> list[tuple[str, torch.Tensor]]:
    layer: nn.Module = nn.Conv2d(*CONV, 3, stride=2, padding=1) if is_conv else nn.Linear(*LINEAR)
    shape = (2, CONV[0], 6, 5) if is_conv else (2, 4, LINEAR[0])
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    module = kind("layer", layer, multiplier=1.0, **options)
    for name, parameter in module.named_parameters():
        steps = torch.randint(-16, 17, parameter.shape, generator=generator)
        is_magnitude = name == "dora_scale"
        parameter.data = (parameter.data * (1 + steps / 50)).float() if is_magnitude else steps / 16
    saved = {k: v.detach().float() for k, v in module.custom_state_dict().items()}
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        module.double().eval().apply_to()
        layer.double()
        y = layer(x)
    base = [(f"base.{key}", value.float()) for key, value in layer.state_dict().items()]
    return [*base, *((f"saved.{k}", v) for k, v in saved.items()), ("x", x), ("y", y)]


if __name__ == "__main__":
    main()
