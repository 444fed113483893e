# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tests.registry.fakes import Tensors, kohya_tensors
from tests.registry.intake.lora_files import PROFILE, checked, reasons
from tests.registry.intake.methods import low_rank_files
from tests.registry.intake.methods.low_rank_files import (
    CONV,
    LINEAR,
    LORAS,
    assert_becomes_pair,
    assert_refused,
    locon,
    lora,
    ones,
)


@pytest.mark.parametrize("part", ["lora_up.weight", "lora_down.weight"])
def test_half_a_pair_is_refused(part: str, tmp_path: Path) -> None:
    """A layer with one factor is named."""
    tensors = kohya_tensors(PROFILE)
    del tensors[f"lora_unet_mid_block_attentions_0_proj_in.{part}"]

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["INCOMPLETE_PAIR"]
    assert "mid_block.attentions.0.proj_in" in report.problems[0].message


def test_disagreeing_ranks_are_refused(tmp_path: Path) -> None:
    """The factors of a pair have one rank."""
    tensors = kohya_tensors(PROFILE)
    key = "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"
    tensors[key] = np.ones((16, 3, 1, 1), "float16")

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["BAD_SHAPE"]
    assert "factors of ranks 2 and 3" in report.problems[0].message


@pytest.mark.parametrize("name", LORAS)
def test_kernel_becomes_pair(name: str, tmp_path: Path) -> None:
    """A LoRA of a convolution, also with a core between its factors, is a pair with a kernel."""
    assert_becomes_pair(*LORAS[name], folder=tmp_path)


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "kernel of another size": (
        locon() | {f"{CONV}.lora_down.weight": ones(2, 8, 5, 5)},
        "SHAPE_MISMATCH",
        "kernel of 5x5, here 3x3",
    ),
    "kernel on a linear layer": (
        lora() | {f"{LINEAR}.lora_down.weight": ones(2, 12, 3, 3)},
        "SHAPE_MISMATCH",
        "kernel of 3x3, here 1x1",
    ),
    "no kernel on a convolution": (
        locon() | {f"{CONV}.lora_down.weight": ones(2, 8)},
        "SHAPE_MISMATCH",
        "kernel of 1x1, here 3x3",
    ),
    "kernel in the up factor": (
        locon() | {f"{CONV}.lora_up.weight": ones(16, 2, 3, 3)},
        "BAD_SHAPE",
        "shape [16, 2, 3, 3]",
    ),
    "core of another rank": (
        locon()
        | {
            f"{CONV}.lora_down.weight": ones(2, 8, 1, 1),
            f"{CONV}.lora_mid.weight": ones(3, 3, 3, 3),
        },
        "BAD_SHAPE",
        "core of shape [3, 3, 3, 3]",
    ),
    "core alone": ({f"{CONV}.lora_mid.weight": ones(2, 2, 3, 3)}, "INCOMPLETE_PAIR", "no down"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_kernel_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason, and never crashes."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(low_rank_files.checked(tmp_path, tensors).report, reason, detail)
