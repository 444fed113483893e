# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import BaseProfile, check
from tabard_registry.intake.dialects.foreign import find_foreign
from tests.registry.fakes import (
    Tensors,
    kohya_name,
    kohya_tensors,
    sd15_profile,
    sd_profile,
    targets_of,
    write,
)

STEM = "lora_unet_mid_block_attentions_0_proj_in"
BLOCK = "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0"
METHODS = {
    f"{STEM}.bm.weight": "GLoRA with a core",
    "base_model.model.x.ln_tuning_layers.weight": "LN_TUNING",
    "unet.mid_block.x.lora_A.bias": "inner biases",
    "unet_conv_in.weight": "ai-toolkit",
    "unet.mid_block.attn2.processor.to_k_custom_diffusion.weight": "Custom Diffusion",
    "text_encoder.token_embedding.lora_embedding_A": "LoRA of an embedding",
    "base_model.model.x.vera_lambda_b": "PEFT method other than LoRA",
}
"""Ways of training, as their writers call their tensors."""
THINGS = {
    "module.unet.mid_block.attentions.0.proj_in.lora_A.weight": "wrapped model",
    "module.lora_unet_x.lora_down.weight": "wrapped model",
    "lora_unet__orig_mod_mid_block_x.lora_down.weight": "wrapped model",
    "unet._orig_mod.mid_block.x.lora_A.weight": "wrapped model",
    "base_model.model.mid_block.x.lora_A.ink.weight": "running PEFT model",
    "unet.mid_block.x.lora_magnitude_vector.ink.weight": "running PEFT model",
    "lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight": "LLLite",
    "image_proj.proj.weight": "IP-Adapter",
    "image_proj.latents": "InstantID",
    "ip_adapter.1.to_k_ip.weight": "IP-Adapter",
    "0.to_q_lora.down.weight": "IP-Adapter",
    "id_encoder.visual_projection_2.weight": "PhotoMaker",
    "adapter.body.0.resnets.0.block1.weight": "T2I-Adapter",
    "body.0.in_conv.weight": "T2I-Adapter",
    f"{BLOCK}.attention_blocks.0.processor.to_q_lora.down.weight": "motion LoRA",
    f"unet.{BLOCK}.attn1.to_q.lora_A.weight": "motion LoRA",
    f"{BLOCK}.attention_blocks.0.pos_encoder.pe": "motion module",
    "control_model.time_embed.0.weight": "ControlNet",
    "controlnet_cond_embedding.conv_in.weight": "ControlNet",
    "lora_controlnet": "ControlNet",
    "position_net.linears.0.weight": "GLIGEN",
    "model.1.sub.0.RDB1.conv1.0.weight": "upscaler",
    "body.0.rdb1.conv1.weight": "upscaler",
    "layers.0.residual_group.blocks.0.attn.qkv.weight": "upscaler",
    "encoder.down.0.block.0.conv1.weight": "VAE",
    "decoder.up_blocks.0.resnets.0.conv1.weight": "VAE",
    "first_stage_model.encoder.conv_in.weight": "VAE",
    "post_quant_conv.weight": "VAE",
    "encoder.block.0.layer.0.SelfAttention.q.weight": "T5",
    "text_model.encoder.layers.0.self_attn.q_proj.weight": "CLIP text encoder",
    "transformer.resblocks.0.attn.in_proj_weight": "CLIP text encoder",
    "vision_model.encoder.layers.0.self_attn.q_proj.weight": "CLIP vision",
    "model.layers.0.self_attn.q_proj.weight": "language model",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": "language model",
    "model.diffusion_model.input_blocks.0.0.weight": "full checkpoint",
    "conv_in.weight": "full checkpoint",
    "input_blocks.0.0.weight": "full checkpoint",
}
"""What is no adapter of a base's layers, by names that it really has."""
FAMILIES = {
    "lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha": "SDXL",
    "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q.alpha": "SDXL",
    "text_encoder_2.text_model.x.lora_A.weight": "SDXL",
    "conditioner.embedders.0.x": "SDXL",
    "clip_g": "SDXL",
    "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": "Flux",
    "lora_unet_single_blocks_3_linear1.alpha": "Flux",
    "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": "Flux",
    "diffusion_model.double_blocks.0.img_mod.lin.lora_A.weight": "Flux",
    "lora_unet_joint_blocks_0_context_block_attn_qkv.lora_down.weight": "SD3",
    "transformer.transformer_blocks.0.attn.add_q_proj.lora_A.weight": "SD3",
    "t5xxl": "SD3",
    "lora_te3_encoder_block_0_layer_0_SelfAttention_q.lora_down.weight": "SD3",
    "diffusion_model.blocks.0.self_attn.q.lora_A.weight": "Wan",
    "lora_unet_blocks_0_cross_attn_k.lora_down.weight": "Wan",
    "lora_unet_blocks_0_ffn_0.alpha": "Wan",
    "transformer.blocks.0.attn1.to_q.lora_A.weight": "Wan",
    "transformer.transformer_blocks.0.img_mlp.net.0.proj.lora_A.weight": "Qwen-Image",
    "lora_unet_transformer_blocks_0_txt_mod_1.lora_down.weight": "Qwen-Image",
    "diffusion_model.double_blocks.0.img_attn_qkv.lora_A.weight": "HunyuanVideo",
    "lora_unet_double_blocks_0_img_mod_linear.lora_down.weight": "HunyuanVideo",
    "transformer.context_embedder.token_refiner.refiner_blocks.0.attn.to_q.lora_A.weight": (
        "HunyuanVideo"
    ),
    "diffusion_model.transformer_blocks.0.attn1.to_q.lora_A.weight": "LTX-Video",
    "patchify_proj.weight": "LTX-Video",
    "lora_transformer_transformer_blocks_0_attn2_to_k.lora_down.weight": "PixArt",
    "diffusion_model.noise_refiner.0.attention.qkv.lora_A.weight": "Lumina 2 or Z-Image",
    "diffusion_model.layers.0.attention.to_q.lora_A.weight": "Lumina 2 or Z-Image",
    "lora_unet_layers_0_feed_forward_w1.lora_down.weight": "Lumina 2 or Z-Image",
    "transformer.joint_transformer_blocks.0.attn.to_q.lora_A.weight": "AuraFlow",
    "double_layers.0.attn.w1q.weight": "AuraFlow",
    "diffusion_model.distilled_guidance_layer.in_proj.lora_A.weight": "Chroma",
    "double_stream_blocks.0.block.adaLN_modulation.1.bias": "HiDream",
    "lora_unet_blocks_0_self_attn_q_proj.lora_down.weight": "Anima",
    "blocks.0.cross_attn.q_linear.weight": "Sana",
    "lora_prior_unet_down_blocks_0_0_mapper.lora_down.weight": "Stable Cascade",
    "down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q.weight": "Video",
}
"""Adapters and models of other families of bases, by names that they really have."""
FOREIGN = {
    **{key: ("UNSUPPORTED_DIALECT", what) for key, what in (METHODS | THINGS).items()},
    **{key: ("WRONG_FAMILY", what) for key, what in FAMILIES.items()},
}


@pytest.mark.parametrize("beside_lora", [True, False])
@pytest.mark.parametrize("key", FOREIGN)
def test_foreign_format_is_named(key: str, beside_lora: bool, tmp_path: Path) -> None:
    """Each known format that is not taken is refused by its name, with a remedy."""
    reason, what = FOREIGN[key]
    tensors: Tensors = {
        **(kohya_tensors(sd_profile()) if beside_lora else {}),
        key: np.ones((2, 2)),
    }

    report = check([write(tmp_path / "x.safetensors", tensors)], profile=sd_profile()).report

    (problem,) = report.problems
    assert not report.accepted
    assert problem.reason == reason
    assert what in problem.message and problem.remedy and problem.keys == (key,)


TOGETHER = {
    "Flux": (
        "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight",
        "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        "lora_te3_encoder_block_0_layer_0_SelfAttention_q.lora_down.weight",
    ),
    "SD3": (
        "lora_unet_joint_blocks_0_context_block_attn_qkv.lora_down.weight",
        "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        "lora_te3_encoder_block_0_layer_0_SelfAttention_q.lora_down.weight",
    ),
    "HunyuanVideo": (
        "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight",
        "transformer.context_embedder.token_refiner.refiner_blocks.0.attn.to_q.lora_A.weight",
    ),
    "ControlNet": ("conv_in.weight", "time_embedding.linear_1.weight", "controlnet_mid_block.bias"),
    "full checkpoint": (
        "model.diffusion_model.input_blocks.0.0.weight",
        "first_stage_model.encoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.embeddings.position_ids",
    ),
    "CLIP text encoder": (
        "text_model.embeddings.token_embedding.weight",
        "text_model.encoder.layers.0.self_attn.q_proj.weight",
    ),
}


@pytest.mark.parametrize("what", TOGETHER)
def test_file_is_one_thing(what: str, tmp_path: Path) -> None:
    """Names that several kinds of files have do not make it several: it is called once."""
    tensors: Tensors = {key: np.ones((2, 2)) for key in TOGETHER[what]}

    report = check([write(tmp_path / "x.safetensors", tensors)], profile=sd_profile()).report

    (problem,) = report.problems
    assert what in problem.message


@pytest.mark.parametrize("make", [sd_profile, sd15_profile])
def test_no_name_of_a_base_is_foreign(make: Callable[[], BaseProfile]) -> None:
    """What is worn here is never called a part of something else, however its names are written."""
    profile = make()
    dotted = [f"{component}.{module}" for component, module in targets_of(profile)]
    bare = [name.partition(".")[2] for name in dotted]
    keys = [
        *(f"{kohya_name(*target)}.lora_down.weight" for target in targets_of(profile)),
        *(f"{name}.lora_A.weight" for name in (*dotted, *bare)),
        *(f"base_model.model.{name}.lora_A.weight" for name in bare),
        *(f"base_model.model.{name.removeprefix('text_model.')}.lora_B.weight" for name in bare),
        *(f"lora_unet_{name.replace('.', '_')}.alpha" for name in bare),
    ]

    assert find_foreign(keys, name="x", profile=profile) is None


@pytest.mark.parametrize("key", [f"{STEM}.lora_up.bias", "unet.x.lora_B.bias"])
def test_lorm_is_told_from_a_lora(key: str) -> None:
    """Its factors are the layers themselves; only who wrote it, and its biases, say so."""
    software = '{"name": "ai-toolkit", "version": "0.1"}'
    profile = sd_profile()

    found = find_foreign([key], name="x", profile=profile, software=software)

    assert found is not None and "LoRM" in found.message and found.keys == (key,)
    assert find_foreign([key], name="x", profile=profile) is None
    assert find_foreign([f"{STEM}.alpha"], name="x", profile=profile, software=software) is None


@pytest.mark.parametrize("end", ["weight", "default.weight"])
def test_usual_names_of_peft_are_not_foreign(end: str) -> None:
    """PEFT's own default name is taken."""
    keys = [f"unet.x.{part}.{end}" for part in ("lora_A", "lora_B", "lora_magnitude_vector")]

    assert find_foreign(keys, name="x", profile=sd_profile()) is None
