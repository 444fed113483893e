# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import check
from tests.registry.fakes import Tensors, kohya_tensors, sd_profile, write

STEM = "lora_unet_mid_block_attentions_0_proj_in"
FOREIGN = {
    f"{STEM}.bm.weight": ("UNSUPPORTED_DIALECT", "GLoRA with a core"),
    "base_model.model.x.ln_tuning_layers.weight": ("UNSUPPORTED_DIALECT", "LN_TUNING"),
    "unet.mid_block.x.lora_A.bias": ("UNSUPPORTED_DIALECT", "inner biases"),
    "model.diffusion_model.input_blocks.0.0.weight": ("UNSUPPORTED_DIALECT", "full checkpoint"),
    "conv_in.weight": ("UNSUPPORTED_DIALECT", "full checkpoint"),
    "control_model.x": ("UNSUPPORTED_DIALECT", "ControlNet"),
    "lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha": ("WRONG_FAMILY", "SDXL"),
    "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q.alpha": ("WRONG_FAMILY", "SDXL"),
    "text_encoder_2.text_model.x.lora_A.weight": ("WRONG_FAMILY", "SDXL"),
    "conditioner.embedders.0.x": ("WRONG_FAMILY", "SDXL"),
    "transformer.single_transformer_blocks.0.lora_A.weight": ("WRONG_FAMILY", "later family"),
    "text_encoders.clip_g.transformer.text_model.x.lora_A.weight": ("WRONG_FAMILY", "SDXL"),
    "diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight": ("WRONG_FAMILY", "later family"),
    "clip_g": ("WRONG_FAMILY", "SDXL"),
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
