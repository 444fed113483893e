# SPDX-License-Identifier: Apache-2.0
"""Files for transformers in the layouts of every trainer, and files on the wrong base."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers

from tabard_registry import BaseProfile, Checked, check
from tabard_registry.intake.transformer_names import originals
from tests.registry.fakes import Tensors, linear, sd_profile, write
from tests.registry.intake.dialects.transformer_files import (
    LAYERS,
    PROFILES,
    STYLES,
    T5,
    TEXTS,
    file_of,
    kohya,
    pair,
    targets,
)
from tests.registry.intake.transformers import flux_profile, sd3_profile


def read(tensors: Tensors, folder: Path, *, profile: BaseProfile, **options: object) -> Checked:
    """Check tensors as one file."""
    metadata = options.pop("metadata", None)
    path = write(folder / "x.safetensors", tensors, metadata=metadata)  # type: ignore[arg-type]
    return check([path], profile=profile, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", PROFILES)
@pytest.mark.parametrize("style", STYLES)
def test_every_layout_applies(style: str, family: str, tmp_path: Path) -> None:
    """Transformer and all text encoders, each layer once."""
    namer, dialect, letters = STYLES[style]
    profile = PROFILES[family]
    wanted = targets(profile)
    if style == "comfyui":
        # Its names are the original code's, in which to_q is a part of another layer.
        wanted = [target for target in wanted if target[1] != LAYERS[0]]
    names = {target: namer(family, *target) for target in wanted}

    found = read(file_of(profile, names, letters=letters), tmp_path, profile=profile)

    assert (found.report.problems, found.report.dialect) == ((), dialect)
    assert {(x.component, x.module) for x in found.layers} == set(wanted)


def test_peft_folder_applies(tmp_path: Path) -> None:
    """PEFT names no component, and its configuration has alpha."""
    profile = sd3_profile()
    names = {("transformer", name): f"base_model.model.{name}" for name in LAYERS}
    path = write(tmp_path / "adapter_model.safetensors", file_of(profile, names, letters=True))
    config = tmp_path / "adapter_config.json"
    config.write_text(
        '{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["to_q", "net.0.proj"]}'
    )

    found = check([path, config], profile=profile)

    assert found.report.problems == ()
    assert {x.scale for x in found.layers} == {2.0}


def test_flux_splits_like_diffusers(tmp_path: Path) -> None:
    """The conversion of kohya's Flux LoRAs in diffusers knows nothing of ours."""
    profile = flux_profile()
    rng = np.random.default_rng(2)
    fused = [one for one in originals(profile) if one.name.endswith(("qkv", "linear1"))]
    tensors: Tensors = {}
    for one in fused:
        stem = f"lora_unet_{one.name.replace('.', '_')}"
        tensors[f"{stem}.lora_down.weight"] = rng.integers(-3, 4, (2, 3072)).astype(np.float32)
        tensors[f"{stem}.lora_up.weight"] = rng.integers(-3, 4, (one.outputs, 2)).astype(np.float32)
        tensors[f"{stem}.alpha"] = np.full((), 2, np.float32)

    theirs = _convert_kohya_flux_lora_to_diffusers(
        {key: torch.from_numpy(value) for key, value in tensors.items()}
    )
    found = read(tensors, tmp_path, profile=profile)

    assert {f"transformer.{x.module}.lora_A.weight" for x in found.layers} == {
        key for key in theirs if key.endswith("lora_A.weight")
    }
    for layer in found.layers:
        ours = layer.factors.read()
        assert np.array_equal(ours.up, theirs[f"transformer.{layer.module}.lora_B.weight"].numpy())
        assert np.array_equal(
            ours.down, theirs[f"transformer.{layer.module}.lora_A.weight"].numpy()
        )


FOREIGN = {
    "flux on sd3": ("sd3", "transformer.single_transformer_blocks.0.attn.to_q", "made for Flux"),
    "kohya's flux on sd3": ("sd3", "lora_unet_double_blocks_0_img_attn_qkv", "made for Flux"),
    "sd3 on flux": ("flux", "lora_unet_joint_blocks_0_x_block_attn_qkv", "made for SD3"),
    "comfyui's sd3 on flux": ("flux", "diffusion_model.joint_blocks.0.x_block.attn.qkv", "SD3"),
    "sd1 on sd3": ("sd3", "lora_unet_mid_block_attentions_0_proj_in", "made for a UNet"),
    "sdxl on flux": ("flux", "unet.mid_block.attentions.0.proj_in", "made for a UNet"),
    "sd1's original names on sd3": ("sd3", "diffusion_model.middle_block.1.proj_in", "a UNet"),
    "qwen on flux": ("flux", "transformer.transformer_blocks.0.img_mlp.net.0.proj", "Qwen"),
    "sd3 on sd1": ("sd1", "lora_unet_joint_blocks_0_x_block_attn_qkv", "made for SD3"),
    "flux on sd1": ("sd1", "lora_unet_double_blocks_0_img_attn_qkv", "made for Flux"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_families_are_named(name: str, tmp_path: Path) -> None:
    """Whoever sends a file to the wrong base reads for which it was made."""
    family, stem, says = FOREIGN[name]
    profile = {**PROFILES, "sd1": sd_profile()}[family]
    factors = pair(linear(4, 4), letters=not stem.startswith("lora_"))

    report = read({f"{stem}.{k}": v for k, v in factors.items()}, tmp_path, profile=profile).report

    assert [problem.reason for problem in report.problems] == ["WRONG_FAMILY"]
    assert says in report.problems[0].message


@pytest.mark.parametrize(
    ("family", "width", "says"),
    [("flux", 1536, "sd3"), ("flux", 2432, "sd3"), ("sd3", 3072, "flux")],
)
def test_width_tells_the_family(family: str, width: int, says: str, tmp_path: Path) -> None:
    """The names of diffusers are alike in both."""
    factors = pair(linear(width, width), letters=True)
    tensors = {f"transformer.{LAYERS[0]}.{k}": v for k, v in factors.items()}

    report = read(tensors, tmp_path, profile=PROFILES[family]).report

    assert "WRONG_FAMILY" in [problem.reason for problem in report.problems]
    assert any(f"made for {says}" in problem.message for problem in report.problems)


@pytest.mark.parametrize("family", PROFILES)
@pytest.mark.parametrize("has_more", [False, True])
def test_absent_text_encoder_is_named(family: str, has_more: bool, tmp_path: Path) -> None:
    """A base may be served without its T5; what changes that is not dropped in silence."""
    whole = PROFILES[family]
    t5 = next(component for component, module in TEXTS[family].items() if module == T5)
    profile = replace(whole, modules={c: m for c, m in whole.modules.items() if c != t5})
    wanted = [(t5, T5), *([("transformer", LAYERS[0])] if has_more else [])]
    names = {target: kohya(family, *target) for target in wanted}

    report = read(file_of(whole, names, letters=False), tmp_path, profile=profile).report

    assert [problem.reason for problem in report.problems] == ["TEXT_ENCODER_ABSENT"]
    assert "Serve the base with its T5" in report.problems[0].remedy


def test_other_family_comes_before_its_t5(tmp_path: Path) -> None:
    """Whoever took the wrong base has no use for a T5 on this one."""
    whole = PROFILES["sd3"]
    profile = replace(
        whole, modules={c: m for c, m in whole.modules.items() if c != "text_encoder_3"}
    )
    stems = (
        "lora_te3_encoder_block_0_layer_0_SelfAttention_q",
        "lora_unet_double_blocks_0_img_mod_lin",
    )
    tensors = {
        f"{stem}.{k}": v for stem in stems for k, v in pair(linear(4, 4), letters=False).items()
    }

    report = read(tensors, tmp_path, profile=profile).report

    assert [problem.reason for problem in report.problems] == ["WRONG_FAMILY"]
