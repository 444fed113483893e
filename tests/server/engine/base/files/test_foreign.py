# SPDX-License-Identifier: Apache-2.0
"""Files that are no base are called by their names; a base is never taken for one of them."""

import pytest

from tabard_server.engine.base.files.foreign import refuse_foreign
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.golden.full_size.models import FAMILIES, build

BASE = ("model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.transformer.x")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "an adapter"),
        ("unet.down_blocks.0.attentions.0.proj_in.lora_A.weight", "an adapter"),
        ("control_model.input_hint_block.0.weight", "a ControlNet"),
        ("controlnet_cond_embedding.conv_in.weight", "a ControlNet"),
        ("lllite_unet_input_blocks_4_1_q.cond_emb.0.weight", "a ControlNet"),
        ("image_proj.proj.weight", "an IP-Adapter"),
        ("adapter.body.0.resnets.0.block1.weight", "a T2I-Adapter"),
        ("down_blocks.0.motion_modules.0.proj_in.weight", "a motion module"),
        ("double_blocks.0.img_attn.proj.weight", "a part of a transformer"),
        ("model.diffusion_model.joint_blocks.0.x_block.mlp.fc1.weight", "a part of a transformer"),
        ("controlnet_blocks.0.weight", "a ControlNet"),
        ("model.diffusion_model.distilled_guidance_layer.in_proj.weight", "a Chroma model"),
        ("double_stream_modulation_img.lin.weight", "a Flux.2 model"),
        ("txt_in.individual_token_refiner.blocks.0.norm1.weight", "a HunyuanVideo model"),
        ("transformer_blocks.0.attn.to_q.weight", "one component alone"),
        ("transformer_blocks.0.img_mod.1.weight", "a Qwen-Image model"),
        ("blocks.0.self_attn.q.weight", "a Wan model"),
        ("model.diffusion_model.blocks.0.cross_attn.k.weight", "a Wan model"),
        ("model.diffusion_model.cap_embedder.0.weight", "draws with a transformer"),
        ("emb_params", "a textual inversion"),
        ("clip_l", "a textual inversion"),
        ("conv_first.weight", "an upscaler"),
        ("model.1.sub.0.RDB1.conv1.0.weight", "an upscaler"),
        ("decoder.conv_in.weight", "a VAE"),
        ("first_stage_model.decoder.conv_in.weight", "a VAE"),
        ("text_model.encoder.layers.0.mlp.fc1.weight", "a text encoder"),
        ("encoder.block.0.layer.0.SelfAttention.q.weight", "a text encoder"),
        ("input_blocks.0.0.weight", "a UNet alone"),
        ("model.diffusion_model.input_blocks.0.0.weight", ""),
        ("down_blocks.0.resnets.0.conv1.weight", "a UNet alone"),
        ("edm_mean", "EDM"),
        ("edm_vpred.sigma_max", "EDM"),
    ],
)
def test_foreign_file_is_named(key: str, says: str) -> None:
    """By one key, with what to do instead."""
    if not says:
        refuse_foreign([key], source="x")
        return
    with pytest.raises(BaseNotLoadable, match=says) as caught:
        refuse_foreign([key], source="x")

    assert caught.value.hint and key in str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_component_of_a_family_is_named(family: str) -> None:
    """Diffusers' own names of each component, at full size."""
    models = build(family)
    for component, model in models.items():
        says = "a UNet alone" if component == "unet" else "a text encoder"
        with pytest.raises(BaseNotLoadable, match=says):
            refuse_foreign(model.state_dict().keys(), source="x")


def test_base_is_not_foreign() -> None:
    """A whole checkpoint with junk of a merge in it is a base; one of EDM's schedule is not."""
    refuse_foreign([*BASE, "control_model.x", "lora_unet_x.lora_down.weight"], source="x")

    with pytest.raises(BaseNotLoadable, match="EDM"):
        refuse_foreign([*BASE, "edm_vpred.sigma_min"], source="x")


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_transformers_are_not_foreign(prefix: str) -> None:
    """Those of SD3 and Flux are bases; one whose blocks are called as Flux's is not."""
    flux = f"{prefix}double_blocks.0.img_attn.qkv.weight"
    refuse_foreign([f"{prefix}joint_blocks.0.x_block.attn.qkv.weight", "pos_embed"], source="x")
    refuse_foreign([flux, f"{prefix}img_in.weight"], source="x")

    with pytest.raises(BaseNotLoadable, match="Chroma"):
        refuse_foreign([flux, f"{prefix}distilled_guidance_layer.norms.0.scale"], source="x")


def test_adapter_of_flux_is_an_adapter() -> None:
    """By names of the same layers."""
    with pytest.raises(BaseNotLoadable, match="an adapter"):
        refuse_foreign(["diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight"], source="x")
