# SPDX-License-Identifier: Apache-2.0
"""Adapters of transformers, written in other layouts and read again."""

from pathlib import Path

import numpy as np
import pytest

from tabard_registry import Registry
from tests.registry.export.round_trips import again, assert_same, canonical_of, export, put
from tests.registry.fakes import Tensors, write
from tests.registry.intake.dialects.transformer_files import (
    PROFILES,
    file_of,
    kohya,
    targets,
)

QKV = {"sd3": "joint_blocks_0_x_block_attn_qkv", "flux": "single_blocks_0_linear1"}
PARTS = {"sd3": 3, "flux": 4}


def fused(family: str) -> Tensors:
    """A layer that the original code has fused, behind kohya's prefix."""
    outputs, inputs = {"sd3": (24, 8), "flux": (3 * 3072 + 12288, 3072)}[family]
    rng = np.random.default_rng(3)
    return {
        f"lora_unet_{QKV[family]}.lora_down.weight": rng.random((2, inputs)).astype("float16"),
        f"lora_unet_{QKV[family]}.lora_up.weight": rng.random((outputs, 2)).astype("float16"),
        f"lora_unet_{QKV[family]}.alpha": np.full((), 1.0, "float32"),
    }


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
@pytest.mark.parametrize("family", PROFILES)
def test_exports_read_back(family: str, style: str, tmp_path: Path, registry: Registry) -> None:
    """Pieces of a fused layer are written apart, under names that ComfyUI and diffusers read."""
    profile = PROFILES[family]
    wanted = [one for one in targets(profile) if not one[1].endswith("attn.to_q")]
    names = {target: kohya(family, *target) for target in wanted}
    tensors = {**file_of(profile, names, letters=False), **fused(family)}
    release, checked = put(registry, write(tmp_path / "x.safetensors", tensors), profile=profile)

    file = export(registry, release, style, tmp_path / "out")

    assert len(checked.layers) == len(wanted) + PARTS[family]
    assert_same(again(file, tmp_path, profile=profile), canonical_of(registry, release))
