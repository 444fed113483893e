# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import IntakeLimits
from tabard_registry.intake.files.safetensors import TensorFile, open_tensors
from tabard_registry.intake.layers.change_part import ChangePart
from tests.registry.fakes import write


def file_of(folder: Path, values: np.ndarray) -> TensorFile:
    """A file that holds one array under `x`."""
    path = write(folder / "x.safetensors", {"x": values})
    file = open_tensors(path, limits=IntakeLimits())
    assert isinstance(file, TensorFile)
    return file


@pytest.mark.parametrize(("dtype", "kept"), [("float16", "float16"), ("float64", "float32")])
def test_numbers_are_kept_as_written(dtype: str, kept: str, tmp_path: Path) -> None:
    """Half precision stays; what is wider than single is single. The bytes are as announced."""
    values = np.array([[1.5, -2.0, 0.25]], dtype)
    part = ChangePart(source=file_of(tmp_path, values), key="x", shape=(3,))

    found = part.read()

    assert (found.dtype, found.shape, found.tolist()) == (kept, (3,), [1.5, -2.0, 0.25])
    assert part.kept_bytes == found.nbytes


def test_rewritten_numbers_are_single(tmp_path: Path) -> None:
    """They are computed in double and rounded once, whatever the file holds."""
    source = file_of(tmp_path, np.array([1.0, 2.0], "float16"))
    part = ChangePart(source=source, key="x", shape=(2, 1), rewrite=lambda found: found / 3)

    found = part.read()

    assert found.dtype == np.float32 and part.kept_bytes == found.nbytes
    np.testing.assert_array_equal(found, np.float32([[1 / 3], [2 / 3]]))


@pytest.mark.parametrize(("last", "is_zero"), [(0.0, True), (1e-7, False)])
def test_nothing_but_zeros_is_zero(last: float, is_zero: bool, tmp_path: Path) -> None:
    """One small number is enough."""
    source = file_of(tmp_path, np.array([0.0, -0.0, last], "float32"))

    assert ChangePart(source=source, key="x", shape=(3,)).is_zero() is is_zero
