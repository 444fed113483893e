# SPDX-License-Identifier: Apache-2.0
"""Small bases and adapter files for tests, made on the spot from random weights.

The tiny base has the layers of Stable Diffusion 1.x at toy widths; files are written by the
libraries that people use (peft through diffusers' `save_lora_weights`) or in kohya's key layout.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from livery_server.engine.loading import DEMO_BASE

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def make_tiny_base(folder: Path, *, seed: int = 0) -> Path:
    """Write a random SD 1.x pipeline of toy width in diffusers layout; return the folder."""
    torch.manual_seed(seed)
    tokenizer = CLIPTokenizer.from_pretrained(str(DEMO_BASE / "tokenizer"))
    text_config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=(16, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            norm_num_groups=4,
            latent_channels=4,
        ),
        text_encoder=CLIPTextModel(text_config),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=32,
            attention_head_dim=4,
            norm_num_groups=8,
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(str(folder))
    return folder


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
    pipe = _load(base)
    states: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for name, model, modules in (
        ("unet", pipe.unet, targets),
        ("text_encoder", pipe.text_encoder, text_targets),
    ):
        if not modules:
            continue
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(modules))
        model.add_adapter(config)
        state = get_peft_model_state_dict(model)
        states[name] = {k: torch.randn_like(v) * scale for k, v in sorted(state.items())}
        metadata[name] = config.to_dict()
    StableDiffusionPipeline.save_lora_weights(
        str(file.parent),
        unet_lora_layers=states.get("unet"),
        text_encoder_lora_layers=states.get("text_encoder"),
        weight_name=file.name,
        unet_lora_adapter_metadata=metadata.get("unet"),
        text_encoder_lora_adapter_metadata=metadata.get("text_encoder"),
    )
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
    pipe = _load(base)
    tensors: dict[str, torch.Tensor] = {}
    stems = [
        (f"lora_unet_{name.replace('.', '_')}", module)
        for name, module in pipe.unet.named_modules()
        if name.endswith(unet)
    ]
    stems += [
        (f"lora_te_text_model_{name.removeprefix('text_model.').replace('.', '_')}", module)
        for name, module in pipe.text_encoder.named_modules()
        if name.endswith(text)
    ]
    for number, (stem, module) in enumerate(stems):
        outputs, inputs, *kernel = module.weight.shape
        down = torch.randn(rank, inputs, *kernel, generator=generator) * scale
        up = torch.randn(outputs, rank, *kernel, generator=generator) * scale
        tensors[f"{stem}.lora_down.weight"] = down
        tensors[f"{stem}.lora_up.weight"] = up
        tensors[f"{stem}.alpha"] = torch.tensor(alphas[number % len(alphas)])
    save_file(tensors, str(file), metadata={"ss_network_module": "networks.lora"})
    return file


def write_inversion(file: Path, *, token: str, width: int, vectors: int, seed: int) -> Path:
    """Write a random Textual Inversion in diffusers layout; return the file."""
    generator = torch.Generator().manual_seed(seed)
    save_file({token: torch.randn(vectors, width, generator=generator) * 0.5}, str(file))
    return file


def _load(base: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return StableDiffusionPipeline.from_pretrained(
            str(base), safety_checker=None, local_files_only=True
        )
