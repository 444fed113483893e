# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tests.registry.fakes import Tensors, kohya_tensors
from tests.registry.intake.lora_files import PROFILE, assert_all_applied, checked, renamed


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (".lora_A.weight", ".lora_B.weight"),
        (".lora.down.weight", ".lora.up.weight"),
        (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
    ],
)
def test_diffusers_spellings_apply(down: str, up: str, tmp_path: Path) -> None:
    """Each of diffusers' spellings applies; without any alpha it is the rank."""
    table = {"lora_down.weight": down, "lora_up.weight": up}
    tensors = renamed(kohya_tensors(PROFILE), table)

    assert_all_applied(checked(tmp_path, tensors), scale=1.0, dialect="diffusers")


def test_diffusers_alpha_tensors_apply(tmp_path: Path) -> None:
    """Alpha tensors count."""
    table = {"lora_down.weight": ".lora.down.weight", "lora_up.weight": ".lora.up.weight"}
    tensors = renamed(kohya_tensors(PROFILE, rank=4), {**table, "alpha": ".alpha"})

    assert_all_applied(checked(tmp_path, tensors), scale=0.25, dialect="diffusers")


def test_newer_text_encoder_names_apply(tmp_path: Path) -> None:
    """Text modules without the classic prefix are the same modules."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = {
        key.replace("text_encoder.text_model.", "text_encoder."): value
        for key, value in renamed(kohya_tensors(PROFILE), table).items()
    }

    assert_all_applied(checked(tmp_path, tensors), scale=1.0, dialect="diffusers")


def test_attention_processor_names_apply(tmp_path: Path) -> None:
    """The oldest files name attention processors."""
    stem = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    tensors: Tensors = {}
    for name in ("to_q", "to_out"):
        tensors[f"unet.{stem}.processor.{name}_lora.down.weight"] = np.ones((2, 8), "float32")
        tensors[f"unet.{stem}.processor.{name}_lora.up.weight"] = np.ones((8, 2), "float32")
    bare = {key.removeprefix("unet."): value for key, value in tensors.items()}

    for found in (checked(tmp_path, tensors), checked(tmp_path, bare)):
        assert found.report.accepted
        assert [x.module for x in found.layers] == [f"{stem}.to_out.0", f"{stem}.to_q"]
