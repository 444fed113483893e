# SPDX-License-Identifier: Apache-2.0
"""A diffusers folder: every weight comes from its files, or it is refused."""

import json
from pathlib import Path

import pytest
import torch

from tabard_server.engine.base.diffusers_folder import read_folder
from tabard_server.engine.base.profile import profile_of
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.server.engine.base.changed_folders import FAMILIES, change_config, copy_folder, drop_one


def test_folder_of_other_pipeline_is_refused(tmp_path: Path) -> None:
    """A folder of another pipeline is named and refused."""
    index = {"_class_name": "StableDiffusion3Pipeline"}
    (tmp_path / "model_index.json").write_text(json.dumps(index))

    with pytest.raises(BaseNotLoadable, match="StableDiffusion3Pipeline") as caught:
        profile_of(str(tmp_path))

    assert "sdxl" in caught.value.hint


@pytest.mark.oracle
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
def test_folder_without_a_weight_is_refused(
    bases: dict[str, Path], tmp_path: Path, family: str, component: str
) -> None:
    """A weight that no file holds is never made up: the base is refused by its name."""
    folder = copy_folder(bases[family], tmp_path)
    name = "model" if component.startswith("text") else "diffusion_pytorch_model"
    lost = drop_one(folder / component / f"{name}.safetensors")

    with pytest.raises(BaseNotLoadable, match=f"lacks 1 weights of its {component}") as caught:
        profile_of(str(folder))

    assert lost.removeprefix("text_model.") in str(caught.value)


@pytest.mark.oracle
def test_half_precision_folder_is_found(bases: dict[str, Path], tmp_path: Path) -> None:
    """A folder that holds only `.fp16.` files is loaded as it is."""
    folder = copy_folder(bases["sd1"], tmp_path)
    for file in folder.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))

    assert profile_of(str(folder)) == profile_of(str(bases["sd1"]))


@pytest.mark.parametrize(
    ("index", "says"),
    [(None, "no model_index.json"), ("[]", "not a JSON object")],
)
def test_folder_without_index_is_refused(tmp_path: Path, index: str | None, says: str) -> None:
    """What a diffusers folder holds is said, or to get it again."""
    if index is not None:
        (tmp_path / "model_index.json").write_text(index)

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        read_folder(tmp_path)

    assert caught.value.hint


def test_missing_encoder_is_named(tiny_base: Path, tmp_path: Path) -> None:
    """Half a pipeline is refused before any weight is read."""
    folder = copy_folder(tiny_base, tmp_path)
    change_config(folder / "model_index.json", text_encoder=[None, None])

    with pytest.raises(BaseNotLoadable, match="nothing for its text_encoder"):
        read_folder(folder)


def test_lost_weight_is_never_made_up(tiny_base: Path, tmp_path: Path) -> None:
    """Diffusers would fill it with dice; here it is named."""
    folder = copy_folder(tiny_base, tmp_path)
    lost = drop_one(folder / "unet" / "diffusion_pytorch_model.safetensors")

    with pytest.raises(BaseNotLoadable, match="lacks 1 weights of its unet") as caught:
        read_folder(folder)

    assert lost in str(caught.value)


def test_nothing_but_what_serving_needs(tiny_base: Path) -> None:
    """In float32, without a checker, an extractor or an image encoder."""
    pipeline = read_folder(tiny_base)

    assert pipeline.unet.dtype == torch.float32
    assert pipeline.safety_checker is pipeline.feature_extractor is pipeline.image_encoder is None
