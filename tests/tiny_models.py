# SPDX-License-Identifier: Apache-2.0
"""The parts of toy bases: layers, names and quirks of each family at widths of a few channels."""

from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from tabard_server.engine.base.place import DEMO_BASE
from tests.server.engine.text import tiny_t5

TEXT_WIDTHS = {"sd1": (32,), "sd2": (40,), "sdxl": (32, 48), "sd3": (32, 48), "flux": (32,)}
"""Widths of the token embeddings of each family's CLIPs."""
T5_WIDTH = 96
"""Width of the T5 of families that have one."""
_BETAS: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
_ZERO_SNR = {
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "prediction_type": "v_prediction",
}
_SAID_BY_SDXL = {"clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True}
"""Entries that SDXL's own scheduler config holds for the sake of other schedulers."""


def tiny_pipeline(family: str, *, is_zero_snr: bool = False) -> Any:
    """Return a pipeline of random weights; the caller has seeded torch.

    Args:
        family: `sd1`, `sd2`, `sdxl`, `sd3` or `flux`.
        is_zero_snr: Whether its noise schedule ends in pure noise.
    """
    schedule = {**_BETAS, "timestep_spacing": "leading", "steps_offset": 1}
    schedule["prediction_type"] = "v_prediction" if family == "sd2" else "epsilon"
    if is_zero_snr:
        schedule |= _ZERO_SNR
    if family in _TRANSFORMERS:
        return _TRANSFORMERS[family]()
    return _large(schedule) if family == "sdxl" else _small(family, schedule)


def _small(family: str, schedule: dict[str, Any]) -> StableDiffusionPipeline:
    tokenizer = tiny_tokenizer(**({"pad_token": "!"} if family == "sd2" else {}))
    (width,) = TEXT_WIDTHS[family]
    shape: dict[str, Any] = {"attention_head_dim": 4}
    if family == "sd2":
        shape = {"attention_head_dim": (2, 4), "use_linear_projection": True}
    return StableDiffusionPipeline(
        vae=tiny_vae(),
        text_encoder=CLIPTextModel(_text_config(tokenizer, width=width, layers=2)),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=width,
            norm_num_groups=8,
            **shape,
        ),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=family == "sd1", **schedule),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _large(schedule: dict[str, Any]) -> StableDiffusionXLPipeline:
    tokenizer, second = tiny_tokenizer(), tiny_tokenizer(pad_token="!")
    width, second_width = TEXT_WIDTHS["sdxl"]
    pooled, sizes = 24, 8
    scheduler = EulerDiscreteScheduler(**schedule)
    scheduler.register_to_config(**_SAID_BY_SDXL)
    second_config = _text_config(second, width=second_width, layers=4, activation="gelu")
    second_config.projection_dim = pooled
    return StableDiffusionXLPipeline(
        vae=tiny_vae(force_upcast=False),
        text_encoder=CLIPTextModel(_text_config(tokenizer, width=width, layers=4)),
        text_encoder_2=CLIPTextModelWithProjection(second_config),
        tokenizer=tokenizer,
        tokenizer_2=second,
        unet=UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(16, 32),
            layers_per_block=1,
            transformer_layers_per_block=(1, 2),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=width + second_width,
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            norm_num_groups=8,
            addition_embed_type="text_time",
            addition_time_embed_dim=sizes,
            projection_class_embeddings_input_dim=6 * sizes + pooled,
        ),
        scheduler=scheduler,
        add_watermarker=False,
    )


def _sd3() -> StableDiffusion3Pipeline:
    tokenizer, second = tiny_tokenizer(), tiny_tokenizer(pad_token="!")
    width, second_width = TEXT_WIDTHS["sd3"]
    first_config = _text_config(tokenizer, width=width, layers=4)
    second_config = _text_config(second, width=second_width, layers=4, activation="gelu")
    # The first is as wide as its states, as SD3's is: nothing is projected there.
    first_config.projection_dim, second_config.projection_dim = width, 24
    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=16,
            num_layers=3,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=T5_WIDTH,
            caption_projection_dim=32,
            pooled_projection_dim=width + 24,
            out_channels=16,
            pos_embed_max_size=24,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_flow_vae(),
        text_encoder=CLIPTextModelWithProjection(first_config),
        tokenizer=tokenizer,
        text_encoder_2=CLIPTextModelWithProjection(second_config),
        tokenizer_2=second,
        text_encoder_3=tiny_t5.new_encoder(3, T5_WIDTH),
        tokenizer_3=tiny_t5.tokenizer(),
    )


def _flux() -> FluxPipeline:
    tokenizer = tiny_tokenizer()
    (width,) = TEXT_WIDTHS["flux"]
    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            in_channels=64,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=T5_WIDTH,
            pooled_projection_dim=width,
            guidance_embeds=True,
            axes_dims_rope=(4, 4, 8),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(
            shift=3.0, use_dynamic_shifting=True, max_shift=1.15
        ),
        vae=_flow_vae(),
        text_encoder=CLIPTextModel(_text_config(tokenizer, width=width, layers=2)),
        tokenizer=tokenizer,
        text_encoder_2=tiny_t5.new_encoder(3, T5_WIDTH),
        tokenizer_2=tiny_t5.tokenizer(),
    )


_TRANSFORMERS = {"sd3": _sd3, "flux": _flux}


def _flow_vae() -> AutoencoderKL:
    """Return a VAE of 16 channels that shifts them, as those of transformers do."""
    return tiny_vae(
        latent_channels=16,
        scaling_factor=1.5305,
        shift_factor=0.0609,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
    )


def tiny_tokenizer(**changes: Any) -> CLIPTokenizer:
    """Return the demo's tokenizer; OpenCLIP's pads with `!` instead of the end of text."""
    return CLIPTokenizer.from_pretrained(str(DEMO_BASE / "tokenizer"), **changes)


def tiny_vae(**changes: Any) -> AutoencoderKL:
    """Return a VAE that halves a picture twice."""
    return AutoencoderKL(
        block_out_channels=(16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        norm_num_groups=4,
        **{"latent_channels": 4} | changes,
    )


def _text_config(
    tokenizer: CLIPTokenizer, *, width: int, layers: int, activation: str = "quick_gelu"
) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        hidden_act=activation,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def enliven(model: torch.nn.Module, *, scale: float) -> None:
    """Widen random weights, so that what a text encoder reads is seen in the picture."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "embedding" in name:
                weight.mul_(scale)
