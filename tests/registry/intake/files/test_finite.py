# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tabard_registry.intake.files.finite import are_finite
from tests.fuzz.document import encode

LONG = 300_001
"""More numbers than one piece has, and not a multiple of it."""


def _finite(values: np.ndarray, dtype: str) -> bool:  # type: ignore[type-arg]
    content = np.frombuffer(encode(values, dtype).data, np.uint8)
    return are_finite(content, dtype=dtype)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
@pytest.mark.parametrize("at", [0, 70_000, LONG - 1])
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_one_bad_number_among_many(dtype: str, at: int, value: float) -> None:
    """Wherever it stands, also in the last and shorter piece, and whatever its sign."""
    values = np.linspace(-60_000, 60_000, LONG)
    assert _finite(values, dtype)

    values[at] = value

    assert not _finite(values, dtype)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_every_pattern_of_bits(dtype: str) -> None:
    """Every number of sixteen bits, and as upper half of thirty-two, is judged as numpy does."""
    upper = np.arange(1 << 16, dtype="<u4")
    bits = upper.astype("<u2") if dtype != "F32" else upper << 16
    wide = {"F16": bits.view("<f2"), "BF16": (upper << 16).view("<f4"), "F32": bits.view("<f4")}
    width = bits.dtype.itemsize
    content = bits.view(np.uint8).reshape(-1, width)

    found = [are_finite(row, dtype=dtype) for row in content]

    with np.errstate(invalid="ignore"):
        assert found == np.isfinite(wide[dtype]).tolist()


def test_doubles_beyond_float32_are_not_finite() -> None:
    """What float32 cannot say is as bad as infinity."""
    largest = float(np.finfo(np.float32).max)

    assert _finite(np.array([largest, -largest]), "F64")
    assert not _finite(np.array([largest * 1.01]), "F64")


def test_nothing_is_finite() -> None:
    """No numbers hold no NaN."""
    assert are_finite(np.empty(0, np.uint8), dtype="F16")
