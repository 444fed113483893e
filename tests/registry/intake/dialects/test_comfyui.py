# SPDX-License-Identifier: Apache-2.0
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import check, write_canonical
from tabard_registry.intake.dialects.module_names import comfyui_modules
from tests.registry.fakes import Tensors, kohya_name, kohya_tensors, sd_profile, write
from tests.registry.intake.lora_files import (
    PROFILE,
    TARGETS,
    assert_all_applied,
    checked,
    reasons,
)

NAMES = {target: name for name, target in comfyui_modules(PROFILE).items()}
PREFIXED = {t: n if n.startswith("text_") else f"diffusion_model.{n}" for t, n in NAMES.items()}
STEM = "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q"


def lettered(tensors: Tensors) -> Tensors:
    """The same factors as PEFT calls them."""
    table = (("lora_down", "lora_A"), ("lora_up", "lora_B"))
    for old, new in table:
        tensors = {key.replace(old, new): value for key, value in tensors.items()}
    return tensors


@pytest.mark.parametrize("is_lettered", [False, True])
def test_prefixed_names_apply(is_lettered: bool, tmp_path: Path) -> None:
    """UNet and text encoder, factors by either name, alpha as a tensor."""
    tensors = kohya_tensors(PROFILE, rank=4, alpha=1.0, name=lambda c, m: PREFIXED[c, m])

    result = checked(tmp_path, lettered(tensors) if is_lettered else tensors)

    assert any(key.startswith("text_encoders.clip_") for key in tensors)
    assert_all_applied(result, scale=0.25, dialect="comfyui")


def test_missing_alpha_is_rank(tmp_path: Path) -> None:
    """ComfyUI reads no alpha as a scale of one, and a zero as a zero: that is refused."""
    tensors = kohya_tensors(PROFILE, alpha=None, name=lambda c, m: PREFIXED[c, m])
    silent = kohya_tensors(PROFILE, alpha=0.0, name=lambda c, m: PREFIXED[c, m])

    assert_all_applied(checked(tmp_path, tensors), scale=1.0, dialect="comfyui")
    assert reasons(checked(tmp_path, silent).report) == ["BAD_ALPHA"]


def test_bare_original_names_apply(tmp_path: Path) -> None:
    """OneTrainer's ORIGINAL format writes the UNet alone, without any prefix."""
    unet = [target for target in NAMES if target[0] == "unet"]
    original = {t: PREFIXED[t].removeprefix("diffusion_model.") for t in unet}
    tensors = kohya_tensors(PROFILE, modules=unet, name=lambda c, m: original[c, m])

    report = checked(tmp_path, lettered(tensors)).report

    assert report.accepted, report.problems
    assert (report.dialect, report.tensors_applied) == ("comfyui", len(tensors))


def test_trained_norms_and_biases_apply(tmp_path: Path) -> None:
    """ComfyUI's trainer changes every bias and norm beside its factors."""
    wide = dataclasses.replace(
        PROFILE,
        vectors={
            "unet": {
                "mid_block.attentions.0.norm.weight": 16,
                "conv_norm_out.weight": 8,
                "conv_norm_out.bias": 8,
            }
        },
    )
    tensors: Tensors = {
        "diffusion_model.middle_block.1.norm.diff": np.ones(16, "float32"),
        "diffusion_model.out.0.diff_b": np.ones(8, "float32"),
    }

    report = check([write(tmp_path / "x.safetensors", tensors)], profile=wide).report

    assert (report.accepted, report.methods) == (True, {"full difference": 2})


@pytest.mark.parametrize("prefix", ["", "diffusion_model."])
def test_checkpoint_is_no_adapter(prefix: str, tmp_path: Path) -> None:
    """Weights under the names that adapters have, too, are a whole model."""
    tensors: Tensors = {f"{prefix}input_blocks.0.0.weight": np.ones((2, 2), "float32")}

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["UNSUPPORTED_DIALECT"]
    assert "a full checkpoint" in report.problems[0].message


def test_unknown_part_is_refused(tmp_path: Path) -> None:
    """Whatever stands behind a known name and is no part is named."""
    tensors: Tensors = {f"{STEM}.set_weight": np.ones((16, 16), "float32")}

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["UNKNOWN_SUFFIX"] and "set_weight" in report.problems[0].message


def test_both_encoders_are_called_by_size(tmp_path: Path) -> None:
    """`clip_l` is the first and `clip_g` the second of two."""
    text = sd_profile().modules["text_encoder"]
    two = dataclasses.replace(
        sd_profile(),
        family="sdxl",
        modules={"unet": {}, "text_encoder": text, "text_encoder_2": text},
    )

    found = comfyui_modules(two)

    module = "text_model.encoder.layers.0.mlp.fc1"
    assert found[f"text_encoders.clip_l.transformer.{module}"] == ("text_encoder", module)
    assert found[f"text_encoders.clip_g.transformer.{module}"] == ("text_encoder_2", module)
    assert found["text_encoders.clip_g.transformer.encoder.layers.0.mlp.fc1"][1] == module


def test_name_does_not_shape_a_release(tmp_path: Path) -> None:
    """The same factors under any trainer's names are the same canonical bytes."""
    unet = [target for target in TARGETS if target[0] == "unet"]
    namings: dict[str, Callable[[str, str], str]] = {
        "kohya": kohya_name,
        "lycoris": lambda _, module: "lycoris_" + module.replace(".", "_"),
        "diffusers": lambda component, module: f"{component}.{module}",
        "comfyui": lambda component, module: PREFIXED[component, module],
    }

    digests = set()
    for style, name in namings.items():
        result = checked(tmp_path, kohya_tensors(PROFILE, rank=4, modules=unet, name=name))
        digests.add(write_canonical(result, tmp_path / style).sha256)

    assert len(digests) == 1
