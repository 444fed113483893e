# SPDX-License-Identifier: Apache-2.0
"""Small bases with a transformer and its text encoders, and LoRAs for them by trainers' names."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tabard_registry import BaseProfile, ModuleShape
from tests.registry.fakes import Tensors, linear
from tests.registry.intake.transformers import flux_profile, sd3_profile

CLIP = "text_model.encoder.layers.0.self_attn.q_proj"
T5 = "encoder.block.0.layer.0.SelfAttention.q"
TEXTS = {
    "sd3": {"text_encoder": CLIP, "text_encoder_2": CLIP, "text_encoder_3": T5},
    "flux": {"text_encoder": CLIP, "text_encoder_2": T5},
}


def with_texts(profile: BaseProfile) -> BaseProfile:
    """The base with one layer of each of its text encoders."""
    widths = {component: 8 + at for at, component in enumerate(TEXTS[profile.family])}
    texts = {c: {m: linear(widths[c], 8)} for c, m in TEXTS[profile.family].items()}
    return replace(profile, modules={**profile.modules, **texts})


PROFILES = {"sd3": with_texts(sd3_profile()), "flux": with_texts(flux_profile())}
LAYERS = ("transformer_blocks.0.attn.to_q", "transformer_blocks.0.ff.net.0.proj")


def pair(module: ModuleShape, *, letters: bool) -> Mapping[str, np.ndarray]:
    """Factors of rank 2, under either name."""
    down, up = ("lora_A", "lora_B") if letters else ("lora_down", "lora_up")
    return {
        f"{down}.weight": np.ones((2, module.inputs), np.float32),
        f"{up}.weight": np.ones((module.outputs, 2), np.float32),
    }


def file_of(
    profile: BaseProfile, names: Mapping[tuple[str, str], str], *, letters: bool
) -> Tensors:
    """A LoRA of some layers under a trainer's names."""
    return {
        f"{name}.{part}": value
        for (component, module), name in names.items()
        for part, value in pair(profile.modules[component][module], letters=letters).items()
    }


def targets(profile: BaseProfile) -> list[tuple[str, str]]:
    """Two layers of the transformer, and one of each text encoder."""
    return [*(("transformer", name) for name in LAYERS), *TEXTS[profile.family].items()]


Namer = Callable[[str, str, str], str]


def diffusers(family: str, component: str, module: str) -> str:
    """What diffusers and ai-toolkit write."""
    return f"{component}.{module}"


def onetrainer(family: str, component: str, module: str) -> str:
    """Underscores, the component by its own name, and text encoders by their place."""
    place = {"text_encoder": "te1", "text_encoder_2": "te2", "text_encoder_3": "te3"}
    return f"lora_{place.get(component, component)}_{module.replace('.', '_')}"


def kohya(family: str, component: str, module: str) -> str:
    """T5 is the third text encoder, also where there are two."""
    if component == "transformer":
        names = {
            "sd3": {LAYERS[1]: "joint_blocks_0_x_block_mlp_fc1"},
            "flux": {LAYERS[1]: "double_blocks_0_img_mlp_0"},
        }
        return f"lora_unet_{names[family].get(module, module.replace('.', '_'))}"
    place = "3" if module == T5 else {"text_encoder": "1", "text_encoder_2": "2"}[component]
    return f"lora_te{place}_{module.replace('.', '_')}"


def comfyui(family: str, component: str, module: str) -> str:
    """The original code's names, text encoders by their size."""
    if component == "transformer":
        names = {
            "sd3": {LAYERS[1]: "joint_blocks.0.x_block.mlp.fc1", LAYERS[0]: LAYERS[0]},
            "flux": {LAYERS[1]: "double_blocks.0.img_mlp.0", LAYERS[0]: LAYERS[0]},
        }
        return f"diffusion_model.{names[family][module]}"
    size = (
        "t5xxl"
        if module == T5
        else {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}[component]
    )
    return f"text_encoders.{size}.transformer.{module}"


STYLES: dict[str, tuple[Namer, str, bool]] = {
    "diffusers": (diffusers, "diffusers", True),
    "onetrainer": (onetrainer, "kohya", False),
    "kohya": (kohya, "kohya", False),
    "comfyui": (comfyui, "comfyui", True),
}
