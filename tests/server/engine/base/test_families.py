# SPDX-License-Identifier: Apache-2.0
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import profile_of
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import make_tiny_base
from tests.single_file import write_single_file

pytestmark = pytest.mark.oracle

FAMILIES = ("sd1", "sd2", "sdxl")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {family: make_tiny_base(folder / family, family=family) for family in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES)
def test_family_is_seen_by_its_parts(bases: dict[str, Path], family: str) -> None:
    """A folder says what it is by its text encoders and its UNet, not by its name."""
    profile = profile_of(str(bases[family]))

    assert profile.family == family
    assert set(profile.fingerprints) == {"unet", "vae", *profile.token_widths}
    assert len(profile.token_widths) == (2 if family == "sdxl" else 1)
    assert "text_model.encoder.layers.0.mlp.fc1" in profile.modules["text_encoder"]


def test_second_encoder_has_classic_names(bases: dict[str, Path]) -> None:
    """Both encoders name their layers alike, whatever the installed library calls them."""
    modules = profile_of(str(bases["sdxl"])).modules["text_encoder_2"]

    assert "text_model.encoder.layers.3.self_attn.q_proj" in modules
    assert "text_projection" in modules
    assert not [name for name in modules if name.startswith("text_model.text_")]


@pytest.mark.parametrize("family", FAMILIES)
def test_single_file_is_the_same_base(bases: dict[str, Path], tmp_path: Path, family: str) -> None:
    """One checkpoint file in the original layout has the fingerprint of the folder it came from."""
    file = write_single_file(bases[family], tmp_path / "tiny.safetensors")

    found = profile_of(str(file), config=str(bases[family]))
    assert replace(found, names=()) == replace(profile_of(str(bases[family])), names=())


def test_marks_of_v_prediction_are_obeyed(bases: dict[str, Path], tmp_path: Path) -> None:
    """A file that says how it was trained is walked that way, whatever its config says."""
    file = write_single_file(bases["sdxl"], tmp_path / "x.safetensors", marks=("v_pred", "ztsnr"))

    config = load_base(str(file), config=str(bases["sdxl"])).scheduler_config

    assert config["prediction_type"] == "v_prediction"
    assert config["rescale_betas_zero_snr"] is True
    assert config["timestep_spacing"] == "trailing"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
def test_folder_without_a_weight_is_refused(
    bases: dict[str, Path], tmp_path: Path, family: str, component: str
) -> None:
    """A weight that no file holds is never made up: the base is refused by its name."""
    folder = _copy(bases[family], tmp_path)
    name = "model" if component.startswith("text") else "diffusion_pytorch_model"
    lost = _drop_one(folder / component / f"{name}.safetensors")

    with pytest.raises(BaseNotLoadable, match=f"lacks 1 weights of its {component}") as caught:
        profile_of(str(folder))

    assert lost.removeprefix("text_model.") in str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "first_stage_model.", "con"])
def test_file_without_a_weight_is_refused(
    bases: dict[str, Path], tmp_path: Path, family: str, prefix: str
) -> None:
    """The same holds for a checkpoint file, whichever part lacks a weight."""
    file = write_single_file(bases[family], tmp_path / "tiny.safetensors")
    _drop_one(file, prefix=prefix)

    with pytest.raises(BaseNotLoadable, match=r"lacks|cannot be loaded"):
        profile_of(str(file), config=str(bases[family]))


def _narrow_text(folder: Path) -> None:
    _change(folder / "unet/config.json", in_channels=9)


def _label(folder: Path) -> None:
    _change(folder / "unet/config.json", class_embed_type="timestep")


def _distil(folder: Path) -> None:
    _change(folder / "unet/config.json", time_cond_proj_dim=8)


def _lose_encoder(folder: Path) -> None:
    _change(folder / "model_index.json", text_encoder=[None, None])


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
    folder = _copy(bases[family], tmp_path)
    change(folder)

    with pytest.raises(BaseNotLoadable, match=says):
        profile_of(str(folder))


def test_inpainting_unet_is_named(bases: dict[str, Path], tmp_path: Path) -> None:
    """A UNet with a mask's channels is told from a text-to-image one."""
    folder = _copy(bases["sd1"], tmp_path)
    _change(folder / "unet/config.json", in_channels=9)
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(str(file))
    tensors["conv_in.weight"] = torch.zeros(16, 9, 3, 3)
    save_file(tensors, str(file))

    with pytest.raises(BaseNotLoadable, match="inpainting"):
        profile_of(str(folder))


def test_large_vae_is_kept_wide_in_half_precision(bases: dict[str, Path], tmp_path: Path) -> None:
    """SDXL's VAE, which overflows in half precision, stays in float32 where its config says so."""
    folder = _copy(bases["sdxl"], tmp_path)
    _change(folder / "vae/config.json", force_upcast=True)

    upcast = load_engine(EngineSettings(base=str(folder), device="cpu", dtype="float16"))
    plain = load_engine(EngineSettings(base=str(bases["sdxl"]), device="cpu", dtype="float16"))

    assert upcast._base.vae.dtype == torch.float32
    assert plain._base.vae.dtype == torch.float16
    assert upcast._base.unet.dtype == torch.float16


def test_half_precision_folder_is_found(bases: dict[str, Path], tmp_path: Path) -> None:
    """A folder that holds only `.fp16.` files is loaded as it is."""
    folder = _copy(bases["sd1"], tmp_path)
    for file in folder.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))

    assert profile_of(str(folder)) == profile_of(str(bases["sd1"]))


def _copy(base: Path, folder: Path) -> Path:
    return Path(shutil.copytree(base, folder / "base"))


def _change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _drop_one(file: Path, *, prefix: str = "") -> str:
    tensors = load_file(str(file))
    wanted = [key for key in tensors if key.startswith(prefix) and key.endswith(".bias")]
    lost = next(key for key in sorted(wanted) if "attn" in key or "conv" in key)
    del tensors[lost]
    save_file(tensors, str(file), metadata={"format": "pt"})
    return lost
