# SPDX-License-Identifier: Apache-2.0
"""Writes `trainers.safetensors`: layers as OneTrainer and kohya's OFT save and run them.

Not run by the tests. To make the file again, put checkouts of OneTrainer (23df3832) and sd-scripts
(48d368fa) with what they import on the path and run `python -m tests.golden.make_trainers`. It has
a layer and an input of each kind, and of every case what the trainer saves and the output that its
own forward gives in float64.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from modules.module.LoRAModule import DoRAModule, LoHaModule, LoKrModule, OFTModule
from networks.oft import OFTModule as KohyaOftModule
from safetensors.torch import save_file
from torch import nn

FILE = Path(__file__).with_name("trainers.safetensors")
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(8, 16), (3, 8)),
    "conv": (lambda: nn.Conv2d(8, 16, 3, stride=2, padding=1), (1, 8, 4, 3)),
    "point": (lambda: nn.Conv2d(8, 16, 1), (1, 8, 4, 3)),
}
_LOKR = {
    **{"decompose_both": False, "decompose_factor": 4, "use_tucker": False, "full_matrix": False},
    **{"weight_decompose": True, "dora_on_output": False, "train_device": torch.device("cpu")},
}
_DORA = {"norm_epsilon": True, "train_device": torch.device("cpu")}
CASES: dict[str, Callable[[nn.Module], Any]] = {
    "onetrainer oft": lambda x: OFTModule("layer", x, 4, False, False),
    "onetrainer oft scaled": lambda x: OFTModule("layer", x, 4, False, True),
    "onetrainer oft shared": lambda x: OFTModule("layer", x, 4, True, False),
    "onetrainer loha": lambda x: LoHaModule("layer", x, 2, 1.0),
    "onetrainer lokr of inputs": lambda x: LoKrModule("layer", x, 1, 0.5, **_LOKR),
    "onetrainer dora of inputs": lambda x: DoRAModule("layer", x, 3, 1.5, **_DORA),
    "kohya oft bounded": lambda x: KohyaOftModule("layer", x, dim=4, alpha=1 / 128),
    "kohya oft free": lambda x: KohyaOftModule("layer", x, dim=4, alpha=1.0),
    "kohya oft of alpha 0": lambda x: KohyaOftModule("layer", x, dim=4, alpha=0.0),
}


def main() -> None:
    """Write the file."""
    tensors: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for seed, kind in enumerate(LAYERS):
            tensors.update(_of_kind(kind, torch.Generator().manual_seed(seed)))
    save_file({key: value.contiguous() for key, value in tensors.items()}, str(FILE))
    sys.stdout.write(f"{FILE}: {FILE.stat().st_size} bytes\n")


def _of_kind(kind: str, generator: torch.Generator) -> Iterator[tuple[str, torch.Tensor]]:
    make_layer, shape = LAYERS[kind]
    layer = make_layer()
    for key, parameter in layer.named_parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
        yield f"{kind}/base.{key}", parameter.data.clone()
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    yield f"{kind}/x", x
    state = layer.state_dict()
    for name, make in CASES.items():
        fresh = make_layer()
        fresh.load_state_dict(state)
        for key, value in _case(make(fresh), fresh, x, generator):
            yield f"{kind}/{name}/{key}", value


def _case(
    module: Any, layer: nn.Module, x: torch.Tensor, generator: torch.Generator
) -> Iterator[tuple[str, torch.Tensor]]:
    for key, parameter in module.named_parameters():
        steps = torch.randint(-16, 17, parameter.shape, generator=generator)
        is_magnitude = key == "dora_scale"
        # Multiples of a power of two: multiplying them out rounds nothing.
        parameter.data = parameter.data * (1 + steps / 50) if is_magnitude else steps / 64
        parameter.data = parameter.data.to(torch.float32)
    for key, value in module.state_dict().items():
        kept = value.detach().clone()
        yield f"saved.{key}", kept.to(torch.float32) if kept.is_floating_point() else kept
    module.double()
    layer.double()
    if isinstance(module, KohyaOftModule):
        module.I = module.I.double()
        module.apply_to()
    else:
        module.hook_to_module()
    with _in_float64():
        yield "y", layer(x)


@contextmanager
def _in_float64() -> Iterator[None]:
    """Let a trainer compute in float64 where it narrows to float32."""
    plain_to = torch.Tensor.to

    def wide_to(self: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        wide = tuple(torch.float64 if one is torch.float32 else one for one in args)
        return plain_to(self, *wide, **options)

    with (
        mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
        mock.patch.object(torch.Tensor, "to", wide_to),
    ):
        yield


if __name__ == "__main__":
    main()
