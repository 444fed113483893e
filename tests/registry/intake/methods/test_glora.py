# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tests.registry.fakes import Tensors
from tests.registry.intake.change_files import Expected, assert_taken_whole, kept
from tests.registry.intake.dense_files import FC, checked, scalar, some
from tests.registry.intake.methods.low_rank_files import assert_refused


def glora(*, is_old: bool = False) -> Tensors:
    """A GLoRA of rank 2, as LyCORIS writes it or as its first version did."""
    parts = {"a1": some(12, 2), "a2": some(2, 12), "b1": some(16, 2), "b2": some(2, 12)}
    swapped = {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}
    return {
        f"{FC}.alpha": scalar(1),
        **{f"{FC}.{swapped[k] if is_old else k}.weight": v for k, v in parts.items()},
    }


TAKEN: dict[str, tuple[Tensors, Expected]] = {
    "GLoRA": (glora(), {"unet:mid_block.fc.weight": ("glora", 0.5, ("a1", "a2", "b1", "b2"))}),
    "old GLoRA": (
        glora(is_old=True),
        {"unet:mid_block.fc.weight": ("glora", 0.5, ("a1", "a2", "b1", "b2"))},
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_glora_is_taken_whole(name: str, tmp_path: Path) -> None:
    """Every tensor is applied, the manifest names every parameter, the bytes are the writer's."""
    tensors, expected = TAKEN[name]

    assert_taken_whole(tensors, expected, folder=tmp_path)


def test_old_glora_is_turned_round(tmp_path: Path) -> None:
    """The first LyCORIS wrote the factors of each pair the other way round."""
    _, new = kept(checked(tmp_path, glora()), tmp_path)
    (tmp_path / "canonical").unlink()
    _, old = kept(checked(tmp_path, glora(is_old=True)), tmp_path)

    for part, found in new.changes[0].parts.items():
        np.testing.assert_array_equal(old.changes[0].parts[part], found)


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "half a GLoRA": (
        {k: v for k, v in glora().items() if "b2" not in k},
        "INCOMPLETE_PAIR",
        "no b2",
    ),
    "GLoRA of two ranks": (
        glora() | {f"{FC}.b1.weight": some(16, 3)},
        "SHAPE_MISMATCH",
        "b1 [16, 3]",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_glora_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason and a remedy."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(checked(tmp_path, tensors).report, reason, detail)
