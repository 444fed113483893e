# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import IntakeLimits, check
from tabard_registry.intake.layers.checked import CheckedChange
from tests.registry.fakes import Tensors, sd_profile, write
from tests.registry.intake.dense_files import FC, checked, lora, scalar, some

NOTHING = np.zeros((16, 12), "float32")


def change_of(folder: Path, tensors: Tensors, *, rank_max: int) -> CheckedChange:
    """The one change of a file; a low rank limit leaves pairs as they are written."""
    (change,) = checked(folder, tensors, limits=IntakeLimits(rank_max=rank_max)).changes
    return change


SILENT = lora(**{"lora_up.weight": some(16, 4) * 0})
CASES: dict[str, tuple[Tensors, bool]] = {
    "pair": (lora(), False),
    "pair with a factor of zeros": (SILENT, True),
    "zeros with a magnitude": ({**SILENT, f"{FC}.dora_scale": some(16, 1)}, False),
    "difference": ({f"{FC}.diff": NOTHING + 1}, False),
    "difference of zeros": ({f"{FC}.diff": NOTHING}, True),
    "scaling by one": (
        {f"{FC}.weight": some(16) * 0, f"{FC}.on_input": scalar(0, "int64")},
        False,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_change_of_nothing_is_zero(name: str, tmp_path: Path) -> None:
    """A product with a zero factor and a zero difference; nothing is said of other methods."""
    tensors, is_zero = CASES[name]

    assert change_of(tmp_path, tensors, rank_max=3).is_zero() is is_zero


def test_arrays_are_read_by_part(tmp_path: Path) -> None:
    """They are those of the file, under the names that the manifest has."""
    tensors = lora()

    found = change_of(tmp_path, tensors, rank_max=3).read()

    assert found.keys() == {"down", "up"}
    np.testing.assert_array_equal(found["up"], tensors[f"{FC}.lora_up.weight"])


def test_vectors_are_counted_in_bytes(tmp_path: Path) -> None:
    """Two vectors of twelve numbers in single precision."""
    path = write(tmp_path / "x.safetensors", {"<ink>": np.ones((2, 12), "float32")})

    (token,) = check([path], profile=sd_profile()).tokens

    assert (token.count, token.kept_bytes) == (2, 2 * 12 * 4)
