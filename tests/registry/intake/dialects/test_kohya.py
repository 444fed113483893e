# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import BaseProfile, check
from tabard_registry.intake.dialects.module_names import kohya_modules
from tests.registry.fakes import (
    Tensors,
    kohya_name,
    kohya_tensors,
    linear,
    sd_profile,
    targets_of,
    write,
)
from tests.registry.intake.lora_files import PROFILE, assert_all_applied, checked, reasons

TEXT = "text_model.encoder.layers.0.self_attn.q_proj"
TWO_ENCODERS = dataclasses.replace(
    sd_profile(),
    family="sdxl",
    modules={
        "unet": sd_profile().modules["unet"],
        "text_encoder": {TEXT: linear(12, 12)},
        "text_encoder_2": {TEXT: linear(20, 20)},
    },
    token_widths={"text_encoder": 12, "text_encoder_2": 20},
)


def test_kohya_file_applies_completely(tmp_path: Path) -> None:
    """Linear layers and 1x1 convolutions of both components, alpha not the rank."""
    result = checked(tmp_path, kohya_tensors(PROFILE, rank=4, alpha=1.0))

    assert_all_applied(result, scale=0.25, dialect="kohya")
    assert (result.report.kind, result.report.rank) == ("lora", 4)


def test_kohya_without_alpha_has_rank(tmp_path: Path) -> None:
    """A missing alpha is the rank."""
    assert_all_applied(
        checked(tmp_path, kohya_tensors(PROFILE, alpha=None)), scale=1.0, dialect="kohya"
    )


def test_mixed_block_names_apply(tmp_path: Path) -> None:
    """A file that mixes diffusers and original block names loses nothing."""
    flipped = {
        target: name
        for name, target in kohya_modules(PROFILE).items()
        if "_input_blocks_" in name or "_output_blocks_" in name or "_middle_block_" in name
    }
    tensors = kohya_tensors(
        PROFILE,
        alpha=1.0,
        name=lambda c, m: flipped[c, m] if c == "unet" and "attn1" in m else kohya_name(c, m),
    )

    assert any("input_blocks" in key for key in tensors)
    assert any("down_blocks" in key for key in tensors)
    assert_all_applied(checked(tmp_path, tensors), scale=0.5, dialect="kohya")


@pytest.mark.parametrize("prefix", ["lora_te_", "lora_te1_"])
@pytest.mark.parametrize("level", ["text_model_", ""])
def test_only_text_encoder_has_four_names(prefix: str, level: str, tmp_path: Path) -> None:
    """With and without the level that transformers 5 dropped, counted or not: it is the one."""

    def name(component: str, module: str) -> str:
        plain = kohya_name(component, module)
        return plain.replace("lora_te_text_model_", f"{prefix}{level}")

    tensors = kohya_tensors(PROFILE, rank=4, alpha=1.0, name=name)

    assert_all_applied(checked(tmp_path, tensors), scale=0.25, dialect="kohya")


@pytest.mark.parametrize("value", [0.0, -0.0])
def test_alpha_of_zero_is_rank(value: float, tmp_path: Path) -> None:
    """A zero is no alpha to kohya and LyCORIS; the report says what it means."""
    result = checked(tmp_path, kohya_tensors(PROFILE, rank=4, alpha=value))

    assert_all_applied(result, scale=1.0, dialect="kohya")
    assert result.report.alphas == (4.0,)


def test_names_of_one_model_alone_apply(tmp_path: Path) -> None:
    """What LyCORIS writes when nobody tells it a prefix, whole pipelines included."""
    bare = kohya_tensors(PROFILE, name=lambda _, module: "lycoris_" + module.replace(".", "_"))
    full = kohya_tensors(PROFILE, name=lambda c, m: f"lycoris_{c}_" + m.replace(".", "_"))

    assert_all_applied(checked(tmp_path, bare), scale=0.5, dialect="kohya")
    assert_all_applied(checked(tmp_path, full), scale=0.5, dialect="kohya")


@pytest.mark.parametrize("component", ["text_encoder", "text_encoder_2"])
def test_size_tells_two_encoders_apart(component: str, tmp_path: Path) -> None:
    """LyCORIS' name of a layer does not say of which encoder it is; its width does."""
    tensors = _alone(TWO_ENCODERS, component)

    result = check([write(tmp_path / "x.safetensors", tensors)], profile=TWO_ENCODERS)

    assert result.report.accepted, result.report.problems
    assert [(x.component, x.module) for x in result.layers] == [(component, TEXT)]


def test_encoders_of_one_size_are_never_confused(tmp_path: Path) -> None:
    """Where both would take a layer, neither gets it."""
    same = {name: {TEXT: linear(12, 12)} for name in ("text_encoder", "text_encoder_2")}
    twins = dataclasses.replace(TWO_ENCODERS, modules={**TWO_ENCODERS.modules, **same})
    tensors = _alone(twins, "text_encoder")

    report = check([write(tmp_path / "x.safetensors", tensors)], profile=twins).report

    assert reasons(report) == ["UNKNOWN_KEYS"]


def _alone(profile: BaseProfile, component: str) -> Tensors:
    targets = [target for target in targets_of(profile) if target[0] == component]
    return kohya_tensors(
        profile, modules=targets, name=lambda _, module: "lycoris_" + module.replace(".", "_")
    )


def test_own_oft_takes_its_own_parts_only(tmp_path: Path) -> None:
    """Below kohya's other prefix there are blocks and alphas, and nothing else."""
    stem = "oft_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors: Tensors = {
        f"{stem}.oft_blocks": np.ones((4, 4, 4), "float32"),
        f"{stem}.alpha": np.full((), 0.25, "float32"),
    }

    result = checked(tmp_path, tensors)
    stranger = checked(tmp_path, {**tensors, f"{stem}.diff": np.ones((16, 16), "float32")})

    (change,) = result.changes
    assert (change.method, result.report.tensors_applied) == ("oft", 2)
    assert reasons(stranger.report) == ["UNKNOWN_SUFFIX"]
