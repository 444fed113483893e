# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import IntakeLimits
from tabard_registry.intake.files.safetensors import TensorFile, open_tensors
from tabard_registry.intake.layers.factors import Factors
from tests.registry.fakes import Tensors, write
from tests.registry.intake.lora_files import reasons
from tests.registry.intake.methods.low_rank_files import (
    CONV,
    LINEAR,
    checked,
    locon,
    loha,
    lora,
    ones,
)


def test_zero_magnitude_layer_is_not_without_effect(tmp_path: Path) -> None:
    """A DoRA changes lengths even where its factors are zero."""
    silent = {key: value * 0 for key, value in lora().items()}

    assert reasons(checked(tmp_path, silent).report) == ["NO_EFFECT"]
    scaled = silent | {f"{LINEAR}.dora_scale": ones(16, 1)}
    assert reasons(checked(tmp_path, scaled).report) == []


def factors_of(folder: Path, tensors: Tensors) -> Factors:
    """The factors of the one layer of a file."""
    (layer,) = checked(folder, tensors).layers
    return layer.factors


@pytest.mark.parametrize(
    ("tensors", "value", "can_overflow"),
    [(loha(), 1.0, False), (loha(), -1e10, True), (lora(), 1e30, False)],
    ids=["small product", "large product", "large pair"],
)
def test_only_products_can_overflow(
    tensors: Tensors, value: float, can_overflow: bool, tmp_path: Path
) -> None:
    """A plain pair is not multiplied out, however large its numbers are."""
    factors = factors_of(tmp_path, tensors)
    other = {key: np.full_like(found, value) for key, found in tensors.items()}
    source = open_tensors(write(tmp_path / "y.safetensors", other), limits=IntakeLimits())
    assert isinstance(source, TensorFile)

    assert replace(factors, source=source).can_overflow() is can_overflow


def test_pair_keeps_its_kernel(tmp_path: Path) -> None:
    """Down is the kernel as the file has it, up a matrix, and the bytes are as announced."""
    tensors = locon()
    factors = factors_of(tmp_path, tensors)

    pair = factors.read()

    np.testing.assert_array_equal(pair.down, tensors[f"{CONV}.lora_down.weight"])
    assert pair.up.shape == (16, 2) and factors.read_magnitude() is None
    assert factors.kept_bytes == pair.down.nbytes + pair.up.nbytes


def test_magnitude_is_a_vector(tmp_path: Path) -> None:
    """However it is written; its bytes count."""
    plain = factors_of(tmp_path, lora())
    factors = factors_of(tmp_path, lora(dora_scale=ones(1, 12) * 3))

    magnitude = factors.read_magnitude()

    assert magnitude is not None and magnitude.tolist() == [3.0] * 12
    assert (factors.axis, factors.kept_bytes - plain.kept_bytes) == ("inputs", magnitude.nbytes)
