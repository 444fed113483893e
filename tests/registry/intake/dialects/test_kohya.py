# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from tabard_registry.intake.dialects.module_names import kohya_modules
from tests.registry.fakes import kohya_name, kohya_tensors
from tests.registry.intake.lora_files import PROFILE, assert_all_applied, checked


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
