# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tests.registry.fakes import Tensors
from tests.registry.intake.methods.low_rank_files import (
    LOHAS,
    assert_becomes_pair,
    assert_refused,
    checked,
    conv_loha,
    loha,
    lora,
    ones,
)


@pytest.mark.parametrize("name", LOHAS)
def test_loha_becomes_pair(name: str, tmp_path: Path) -> None:
    """The product of two pairs is a pair of their ranks' product."""
    assert_becomes_pair(*LOHAS[name], folder=tmp_path)


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "three quarters of a LoHa": (
        {k: v for k, v in loha().items() if not k.endswith("w2_b")},
        "INCOMPLETE_PAIR",
        "no hada_w2_b",
    ),
    "LoHa of two ranks": (
        loha(hada_w2_a=ones(16, 3), hada_w2_b=ones(3, 12)),
        "BAD_SHAPE",
        "ranks 2 and 3",
    ),
    "LoHa of two kernels": (
        conv_loha(hada_w2_b=ones(2, 8, 1, 9)),
        "BAD_SHAPE",
        "two halves of different kernels",
    ),
    "LoHa with one core": (
        conv_loha(hada_t1=ones(2, 2, 3, 3)),
        "INCOMPLETE_PAIR",
        "no hada_t2",
    ),
    "LoHa beyond the limit": (loha(4097), "RANK_TOO_LARGE", "a LoHa of rank 4097; at most 4096"),
    "LoHa and LoRA at once": (loha() | lora(), "INCOMPLETE_PAIR", "both LoRA and LoHa"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_loha_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason, and never crashes."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(checked(tmp_path, tensors).report, reason, detail)
