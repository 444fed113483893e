# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tests.registry.fakes import kohya_tensors, sd_profile
from tests.registry.intake.lora_files import PROFILE, checked, reasons


def test_one_layer_under_two_names(tmp_path: Path) -> None:
    """A layer that a file changes twice is refused."""
    module = "down_blocks.0.attentions.0.proj_in"
    tensors = {
        **kohya_tensors(PROFILE, modules=[("unet", module)]),
        **kohya_tensors(
            PROFILE,
            modules=[("unet", module)],
            name=lambda c, m: "lora_unet_input_blocks_1_1_proj_in",
        ),
    }

    assert reasons(checked(tmp_path, tensors).report) == ["DUPLICATE_TARGET"]


def test_key_of_no_module_is_refused(tmp_path: Path) -> None:
    """Keys that fit no module are named, and nothing is dropped."""
    tensors = kohya_tensors(PROFILE)
    tensors["lora_unet_down_blocks_9_attentions_0_proj_in.lora_down.weight"] = np.ones((2, 8))

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["UNKNOWN_KEYS"]
    assert "lora_unet_down_blocks_9" in report.problems[0].keys[0]
    assert report.tensors_applied == report.tensor_count - 1


@pytest.mark.parametrize(
    ("key", "suffix"),
    [
        ("lora_unet_mid_block_attentions_0_proj_in.scalar", ".scalar"),
        ("unet.mid_block.attentions.0.proj_in.lora_C.weight", ".lora_C.weight"),
        ("base_model.model.mid_block.attentions.0.proj_in.lora_velora_embed", ".lora_velora_embed"),
    ],
)
def test_ending_that_is_not_taken_is_named(key: str, suffix: str, tmp_path: Path) -> None:
    """Where the layer is there, the file is for this base: the ending is what is not known."""
    report = checked(tmp_path, {key: np.ones((2, 2), "float32")}).report

    assert reasons(report) == ["UNKNOWN_SUFFIX"]
    assert f"'{suffix}' of mid_block.attentions.0.proj_in" in report.problems[0].message
    assert "base" not in report.problems[0].remedy


def test_other_text_width_is_another_base(tmp_path: Path) -> None:
    """A LoRA of SD1.5's text width on another base is told where it belongs."""
    other = sd_profile(layers_per_block=2, text_width=768, text_layers=2)

    report = checked(tmp_path, kohya_tensors(other)).report

    assert reasons(report) == ["SHAPE_MISMATCH"]
    message = report.problems[0].message
    assert message.startswith("this file is for another base or family")
    assert "attn2.to_k maps 768" in message and "sd1" in message
