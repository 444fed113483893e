# SPDX-License-Identifier: Apache-2.0
"""A tuned model in one file: read as a base is, and under the same names as a folder."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.bases import make_tiny_base
from tests.single_file import write_single_file
from tests.tuned_models import (
    add_everywhere,
    add_low_rank,
    extracted,
    make_tuned_model,
)


def test_average_of_trainer_is_told(tmp_path: Path, base: Path) -> None:
    """Keys of a single file outside all components are told, too."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    file = write_single_file(tuned, tmp_path / "tuned.safetensors")
    extra = {"model_ema.decay": torch.ones(1), "junk.of.a.merge": torch.ones(1)}
    save_file(load_file(file) | extra, str(file))

    outcome = extracted(base, file, tmp_path / "out", rank=4)

    assert outcome.unused == tuple(sorted(extra))


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_single_file_equals_folder(tmp_path: Path, family: str) -> None:
    """The original key layout, fused projections of OpenCLIP included, makes the same tensors."""
    base = make_tiny_base(tmp_path / "base", seed=2, family=family)
    folder = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.05))
    file = write_single_file(folder, tmp_path / "tuned.safetensors")

    of_folder = extracted(base, folder, tmp_path / "folder.out", rank=8)
    of_file = extracted(base, file, tmp_path / "file.out", rank=8)

    left, right = load_file(tmp_path / "folder.out"), load_file(tmp_path / "file.out")
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)
    assert of_folder.kept_energy == of_file.kept_energy
    assert of_file.unused == ()
