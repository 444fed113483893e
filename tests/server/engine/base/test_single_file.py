# SPDX-License-Identifier: Apache-2.0
"""A checkpoint file in the original layout: whole, of a served family, or refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import profile_of
from tabard_server.engine.base.single_file import read_single_file
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import load_pipeline
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


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("lora_unet_conv_in.alpha", "no UNet"),
        ("model.diffusion_model.x", "no text encoder"),
        ("conditioner.embedders.0.x", "refiner"),
    ],
)
def test_keys_say_what_is_missing(tmp_path: Path, key: str, says: str) -> None:
    """An adapter, half a checkpoint and a refiner are told by their keys alone."""
    tensors = {key: torch.zeros(1), "model.diffusion_model.y": torch.zeros(1)}
    if "lora" in key:
        del tensors["model.diffusion_model.y"]
    save_file(tensors, str(tmp_path / "x.safetensors"))

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        read_single_file(tmp_path / "x.safetensors", config=None)

    assert caught.value.hint


def test_half_a_checkpoint_is_refused(tmp_path: Path) -> None:
    """A download that broke off is told before anything is built."""
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 40)

    with pytest.raises(BaseNotLoadable, match="not a whole safetensors file"):
        read_single_file(tmp_path / "x.safetensors", config=None)


def test_file_of_a_folder_is_that_base(tiny_base: Path, tmp_path: Path) -> None:
    """Every weight comes out as it went in, under diffusers' own names."""
    file = write_single_file(tiny_base, tmp_path / "tiny.safetensors")

    pipeline = read_single_file(file, config=str(tiny_base))

    theirs = load_pipeline(tiny_base).unet.state_dict()
    ours = pipeline.unet.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
