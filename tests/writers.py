# SPDX-License-Identifier: Apache-2.0
"""Random adapter files of the kinds that change more than linear layers, for tiny bases."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from tests.bases import kohya_stems, load_pipeline, network_name, text_encoders

RESNETS = ("conv1", "conv2", "conv_shortcut", "time_emb_proj")
SAMPLERS = ("downsamplers.0.conv", "upsamplers.0.conv")
ATTENTION = ("to_q", "to_v", "to_out.0", "proj_in", "ff.net.0.proj")
EVERYWHERE = ("conv_in", *RESNETS, *SAMPLERS, *ATTENTION)


def write_peft_lora(
    base: Path,
    file: Path,
    *,
    seed: int,
    use_dora: bool = True,
    targets: tuple[str, ...] = EVERYWHERE,
    text_targets: tuple[str, ...] = ("q_proj", "fc1"),
) -> Path:
    """Write a LoRA or DoRA of linear layers and convolutions with diffusers' and peft's writers."""
    torch.manual_seed(seed)
    pipe = load_pipeline(base)
    layers: dict[str, Any] = {}
    network = network_name(pipe)
    for name, model in {network: getattr(pipe, network), **text_encoders(pipe)}.items():
        modules = targets if name == network else text_targets
        # diffusers writes no LoRA of a T5.
        if not modules or getattr(model.config, "model_type", "") == "t5":
            continue
        config = LoraConfig(r=3, lora_alpha=6, target_modules=list(modules), use_dora=use_dora)
        model.add_adapter(config)
        state = get_peft_model_state_dict(model)
        layers[f"{name}_lora_layers"] = {k: _random(k, v) for k, v in sorted(state.items())}
        layers[f"{name}_lora_adapter_metadata"] = config.to_dict()
    type(pipe).save_lora_weights(str(file.parent), weight_name=file.name, **layers)
    return file


def write_locon(
    base: Path, file: Path, *, seed: int, is_tucker: bool = False, has_magnitude: bool = False
) -> Path:
    """Write a LoCon in kohya's and LyCORIS' layout, ranks and alphas differing between layers."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for stem, module in kohya_stems(load_pipeline(base)):
        if not stem.startswith("lora_unet_") or not stem.endswith(_stems(EVERYWHERE)):
            continue
        outputs, inputs, *kernel = module.weight.shape
        rank = 2 if kernel == [3, 3] else 5
        core = [rank, rank, *kernel] if is_tucker and kernel == [3, 3] else None
        shapes = {
            "lora_down.weight": [rank, inputs, *([1, 1] if core else kernel)],
            "lora_up.weight": [outputs, rank, *[1] * len(kernel)],
            **({"lora_mid.weight": core} if core else {}),
        }
        for name, shape in shapes.items():
            steps = torch.randint(-16, 17, shape, generator=generator)
            # Multiples of a power of two: folding the core rounds nothing.
            tensors[f"{stem}.{name}"] = steps / 32
        tensors[f"{stem}.alpha"] = torch.tensor(rank * (0.5 if kernel else 0.25))
        if has_magnitude:
            lengths = module.weight.detach().flatten(1).norm(dim=1)
            noise = 1 + torch.rand(outputs, generator=generator) / 4
            tensors[f"{stem}.dora_scale"] = (lengths * noise).view(-1, 1, *[1] * len(kernel))
    save_file(tensors, str(file), metadata={"ss_network_module": "lycoris.kohya"})
    return file


def _random(key: str, value: torch.Tensor) -> torch.Tensor:
    if "magnitude" in key:
        return value * (1 + torch.rand_like(value) / 4)
    return torch.randn_like(value) * 0.3


def _stems(modules: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(module.replace(".", "_") for module in modules)
