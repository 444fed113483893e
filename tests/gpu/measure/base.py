# SPDX-License-Identifier: Apache-2.0
"""A base of random weights on the disk, in diffusers' layout, as a server loads one.

In: sizes. Out: a folder, made once for all parts of a script. Its UNet is that of `full_size`; the
words are the demo's. Its pictures are noise, and cost what pictures cost.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
from transformers import CLIPTextConfig, CLIPTextModel

from tabard.cli.demo.catalog import DemoRelease
from tests.bench import full_size
from tests.gpu.measure.sizes import Sizes
from tests.tiny_models import tiny_tokenizer

_WHOLE = "base-is-whole"
_LENGTH = 77
_HEADS = {768: 12}


def make_base(folder: Path, *, sizes: Sizes) -> Path:
    """Write the base, if it is not there; return its folder."""
    place = folder / "base"
    if (folder / _WHOLE).exists():
        return place
    torch.manual_seed(0)
    dtype = getattr(torch, sizes.dtype)
    tokenizer = tiny_tokenizer(model_max_length=_LENGTH)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=sizes.text_width,
        intermediate_size=4 * sizes.text_width,
        num_hidden_layers=sizes.text_layers,
        num_attention_heads=_HEADS.get(sizes.text_width, 4),
        max_position_embeddings=_LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    levels = len(sizes.vae_widths)
    StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=sizes.vae_widths,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            layers_per_block=2,
            norm_num_groups=min(32, sizes.vae_widths[0] // 4),
            latent_channels=4,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=full_size.new_unet(
            dtype=torch.float32, device=torch.device("cpu"), config=sizes.unets["sd15"]
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(dtype=dtype).save_pretrained(str(place))
    (folder / _WHOLE).touch()
    return place


def write_styles(folder: Path, *, sizes: Sizes, count: int) -> list[DemoRelease]:
    """Write as many adapters of all transformer layers, as a trainer would; rank 16."""
    with torch.device("meta"):
        unet = full_size.UNet2DConditionModel(**sizes.unets["sd15"])
    profile = full_size.profile_of(unet)
    return [
        DemoRelease(
            file=full_size.write_kohya(folder / f"style{n}.safetensors", profile=profile, seed=n),
            adapter=f"bench/style{n}",
            version="1.0.0",
            kind="lora",
            trigger="",
            prompt="a red circle",
            notes="",
            sampling={},
        )
        for n in range(count)
    ]
