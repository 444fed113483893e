# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard_server.engine.base.profile import profile_of
from tabard_server.engine.networks.network import NATIVE_LATENTS_MAX
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import make_tiny_base
from tests.server.engine.base.changed_folders import FAMILIES, change_config, copy_folder
from tests.server.engine.text import tiny_t5

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("family", FAMILIES)
def test_family_is_seen_by_its_parts(bases: dict[str, Path], family: str) -> None:
    """A folder says what it is by its text encoders and its UNet, not by its name."""
    profile = profile_of(str(bases[family]))

    assert profile.family == family
    assert set(profile.fingerprints) == {"unet", "vae", *profile.token_widths}
    assert len(profile.token_widths) == (2 if family == "sdxl" else 1)
    assert "text_model.encoder.layers.0.mlp.fc1" in profile.modules["text_encoder"]


def _narrow_text(folder: Path) -> None:
    change_config(folder / "unet/config.json", in_channels=9)


def _label(folder: Path) -> None:
    change_config(folder / "unet/config.json", class_embed_type="timestep")


def _distil(folder: Path) -> None:
    change_config(folder / "unet/config.json", time_cond_proj_dim=8)


def _lose_encoder(folder: Path) -> None:
    change_config(folder / "model_index.json", text_encoder=[None, None])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_narrow_text, "cannot be loaded|9 channels"),
        (_label, "lacks|class labels"),
        (_distil, "lacks|guidance scale"),
        (_lose_encoder, "nothing for its text_encoder"),
    ],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_unlike_pipeline_is_refused(
    bases: dict[str, Path],
    tmp_path: Path,
    family: str,
    change: Callable[[Path], None],
    says: str,
) -> None:
    """Inpainting, upscaling and distilled UNets, and half pipelines, are refused at the start."""
    folder = copy_folder(bases[family], tmp_path)
    change(folder)

    with pytest.raises(BaseNotLoadable, match=says):
        profile_of(str(folder))


@pytest.mark.parametrize(("family", "t5"), [("sd3", "text_encoder_3"), ("flux", "text_encoder_2")])
def test_t5_of_another_width_is_refused(tmp_path: Path, family: str, t5: str) -> None:
    """A folder may be put together by hand: both widths are said."""
    folder = make_tiny_base(tmp_path / "base", family=family)
    tiny_t5.new_encoder(3, 64).save_pretrained(folder / t5)

    with pytest.raises(BaseNotLoadable, match="reads text 96 wide, its T5 writes 64") as caught:
        profile_of(str(folder))

    assert caught.value.hint


def test_inpainting_unet_is_named(bases: dict[str, Path], tmp_path: Path) -> None:
    """A UNet with a mask's channels is told from a text-to-image one."""
    folder = copy_folder(bases["sd1"], tmp_path)
    change_config(folder / "unet/config.json", in_channels=9)
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(str(file))
    tensors["conv_in.weight"] = torch.zeros(16, 9, 3, 3)
    save_file(tensors, str(file))

    with pytest.raises(BaseNotLoadable, match="inpainting"):
        profile_of(str(folder))


@pytest.mark.parametrize("size", [0, NATIVE_LATENTS_MAX + 1])
def test_impossible_native_size_is_refused(
    bases: dict[str, Path], tmp_path: Path, size: int
) -> None:
    """Requests that say no size would be drawn at it."""
    folder = copy_folder(bases["sd1"], tmp_path)
    change_config(folder / "unet/config.json", sample_size=size)

    with pytest.raises(BaseNotLoadable, match=f"sample_size is {size}"):
        profile_of(str(folder))
