# SPDX-License-Identifier: Apache-2.0
"""Small bases and adapter files for tests, made on the spot from random weights.

Tiny bases have the layers of their family at toy widths; files are written by the libraries that
people use (peft through diffusers' `save_lora_weights`) or in kohya's key layout.
"""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from tabard_registry.intake.profile import DENOISERS
from tests.tiny_models import enliven, tiny_pipeline

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def make_tiny_base(
    folder: Path, *, seed: int = 0, family: str = "sd1", is_zero_snr: bool = False
) -> Path:
    """Write a random pipeline of toy width in diffusers layout; return the folder."""
    torch.manual_seed(seed)
    pipeline = tiny_pipeline(family, is_zero_snr=is_zero_snr)
    if family != "sd1":
        enliven(pipeline.text_encoder, scale=20.0)
    if family in ("sdxl", "sd3"):
        enliven(pipeline.text_encoder_2, scale=20.0)
    pipeline.save_pretrained(str(folder))
    return folder


def load_pipeline(base: Path, **options: Any) -> Any:
    """Load a base as diffusers alone does."""
    index = json.loads((base / "model_index.json").read_text())
    if index["_class_name"] == "StableDiffusionPipeline":
        options["safety_checker"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = getattr(diffusers, index["_class_name"])
        return kind.from_pretrained(str(base), local_files_only=True, **options)


def network_name(pipe: Any) -> str:
    """Return what a pipeline calls the network that takes the noise out."""
    return next(name for name in DENOISERS if hasattr(pipe, name))


def denoiser_of(pipe: Any) -> Any:
    """Return that network."""
    return getattr(pipe, network_name(pipe))


def text_encoders(pipe: Any) -> dict[str, Any]:
    """Return the text encoders of a pipeline by component."""
    names = ("text_encoder", "text_encoder_2", "text_encoder_3")
    return {name: model for name in names if (model := getattr(pipe, name, None)) is not None}


def write_diffusers_lora(
    base: Path,
    file: Path,
    *,
    seed: int,
    rank: int = 4,
    alpha: float = 4.0,
    targets: tuple[str, ...] = ATTENTION,
    text_targets: tuple[str, ...] = (),
    scale: float = 0.3,
) -> Path:
    """Write a random LoRA with peft and diffusers' own writer; return the file."""
    torch.manual_seed(seed)
    pipe = load_pipeline(base)
    layers: dict[str, Any] = {}
    texts = text_encoders(pipe)
    drawing = {name: getattr(pipe, name) for name in DENOISERS if hasattr(pipe, name)}
    for name, model in {**drawing, **texts}.items():
        if name in texts and model.config.model_type == "t5":
            # diffusers writes no LoRA of a T5.
            continue
        modules = targets if name in drawing else text_targets
        if not modules:
            continue
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(modules))
        model.add_adapter(config)
        state = get_peft_model_state_dict(model)
        state = {k: torch.randn_like(v) * scale for k, v in sorted(state.items())}
        layers[f"{name}_lora_layers"] = state
        layers[f"{name}_lora_adapter_metadata"] = config.to_dict()
    type(pipe).save_lora_weights(str(file.parent), weight_name=file.name, **layers)
    return file


def write_kohya_lora(
    base: Path,
    file: Path,
    *,
    seed: int,
    rank: int = 4,
    alphas: tuple[float, ...] = (2.0,),
    unet: tuple[str, ...] = (*ATTENTION, "proj_in", "proj_out"),
    text: tuple[str, ...] = ("q_proj", "v_proj", "fc1"),
    scale: float = 0.3,
) -> Path:
    """Write a random LoRA in kohya's key layout, alphas taken in turn; return the file."""
    generator = torch.Generator().manual_seed(seed)
    pipe = load_pipeline(base)
    tensors: dict[str, torch.Tensor] = {}
    stems = [(stem, m) for stem, m in kohya_stems(pipe) if _is_target(stem, unet=unet, text=text)]
    for number, (stem, module) in enumerate(stems):
        outputs, inputs, *kernel = module.weight.shape
        down = torch.randn(rank, inputs, *kernel, generator=generator) * scale
        up = torch.randn(outputs, rank, *kernel, generator=generator) * scale
        tensors[f"{stem}.lora_down.weight"] = down
        tensors[f"{stem}.lora_up.weight"] = up
        tensors[f"{stem}.alpha"] = torch.tensor(alphas[number % len(alphas)])
    save_file(tensors, str(file), metadata={"ss_network_module": "networks.lora"})
    return file


def kohya_stems(pipe: Any) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield every module of a pipeline under kohya's name for it; transformers' as OneTrainer."""
    prefix = "lora_unet" if hasattr(pipe, "unet") else "lora_transformer"
    for name, module in denoiser_of(pipe).named_modules():
        yield f"{prefix}_{name.replace('.', '_')}", module
    texts = text_encoders(pipe)
    for number, model in enumerate(texts.values(), start=1):
        is_t5 = model.config.model_type == "t5"
        is_alone = len(texts) == 1 and hasattr(pipe, "unet")
        prefix = "lora_te" if is_alone else f"lora_te{3 if is_t5 else number}"
        level = "" if is_t5 else "text_model_"
        for name, module in model.named_modules():
            plain = name.removeprefix("text_model.").replace(".", "_")
            yield f"{prefix}_{level}{plain}", module


def _is_target(stem: str, *, unet: tuple[str, ...], text: tuple[str, ...]) -> bool:
    wanted = unet if stem.startswith("lora_unet_") else text
    return stem.endswith(tuple(name.replace(".", "_") for name in wanted))


def write_inversion(file: Path, *, token: str, width: int, vectors: int, seed: int) -> Path:
    """Write a random Textual Inversion in diffusers layout; return the file."""
    generator = torch.Generator().manual_seed(seed)
    save_file({token: torch.randn(vectors, width, generator=generator) * 0.5}, str(file))
    return file


def write_inversion_pair(file: Path, *, widths: tuple[int, int], vectors: int, seed: int) -> Path:
    """Write a random Textual Inversion of SDXL, one tensor for each encoder; return the file."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        key: torch.randn(vectors, width, generator=generator)
        for key, width in zip(("clip_l", "clip_g"), widths, strict=True)
    }
    save_file(tensors, str(file))
    return file
