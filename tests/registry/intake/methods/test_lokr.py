# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tests.registry.fakes import Tensors
from tests.registry.intake.methods.low_rank_files import (
    LOKRS,
    assert_becomes_pair,
    assert_refused,
    checked,
    lokr,
    ones,
)


@pytest.mark.parametrize("name", LOKRS)
def test_lokr_becomes_pair(name: str, tmp_path: Path) -> None:
    """A Kronecker product has the product of its halves' ranks, whole halves included."""
    assert_becomes_pair(*LOKRS[name], folder=tmp_path)


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "LoKr whole and in parts": (
        lokr(w1=ones(4, 4), w1_a=ones(4, 1), w1_b=ones(1, 4), w2=ones(4, 3)),
        "INCOMPLETE_PAIR",
        "lokr_w1 both whole and decomposed",
    ),
    "half a LoKr": (
        lokr(w1=ones(4, 4), w2_b=ones(1, 3)),
        "INCOMPLETE_PAIR",
        "no lokr_w2_a",
    ),
    "LoKr of another width": (
        lokr(w1=ones(4, 4), w2=ones(4, 4)),
        "SHAPE_MISMATCH",
        "maps 16 to 16, in this base 12 to 16",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_lokr_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason, and never crashes."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(checked(tmp_path, tensors).report, reason, detail)
