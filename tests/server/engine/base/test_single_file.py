# SPDX-License-Identifier: Apache-2.0
"""A checkpoint file in the original layout: whole, of a served family, or refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import profile_of
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.server.engine.base.changed_folders import FAMILIES, drop_one
from tests.single_file import write_single_file


def test_pickled_checkpoint_is_refused(tmp_path: Path) -> None:
    """A `.ckpt` is never opened."""
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"\x80\x04.")

    with pytest.raises(BaseNotLoadable, match="is not a"):
        profile_of(str(file))


@pytest.mark.oracle
@pytest.mark.parametrize("family", FAMILIES)
def test_single_file_is_the_same_base(bases: dict[str, Path], tmp_path: Path, family: str) -> None:
    """One checkpoint file in the original layout has the fingerprint of the folder it came from."""
    file = write_single_file(bases[family], tmp_path / "tiny.safetensors")

    found = profile_of(str(file), config=str(bases[family]))
    assert replace(found, names=()) == replace(profile_of(str(bases[family])), names=())


@pytest.mark.oracle
def test_marks_of_v_prediction_are_obeyed(bases: dict[str, Path], tmp_path: Path) -> None:
    """A file that says how it was trained is walked that way, whatever its config says."""
    file = write_single_file(bases["sdxl"], tmp_path / "x.safetensors", marks=("v_pred", "ztsnr"))

    config = load_base(str(file), config=str(bases["sdxl"])).scheduler_config

    assert config["prediction_type"] == "v_prediction"
    assert config["rescale_betas_zero_snr"] is True
    assert config["timestep_spacing"] == "trailing"


@pytest.mark.oracle
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "first_stage_model.", "con"])
def test_file_without_a_weight_is_refused(
    bases: dict[str, Path], tmp_path: Path, family: str, prefix: str
) -> None:
    """The same holds for a checkpoint file, whichever part lacks a weight."""
    file = write_single_file(bases[family], tmp_path / "tiny.safetensors")
    drop_one(file, prefix=prefix)

    with pytest.raises(BaseNotLoadable, match=r"lacks|cannot be loaded"):
        profile_of(str(file), config=str(bases[family]))
