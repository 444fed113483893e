# SPDX-License-Identifier: Apache-2.0
"""Folders and files become pipelines that draw what diffusers alone draws of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.pipeline import Opened, open_pipeline
from tabard_server.engine.base.schedules.schedule import Asked
from tabard_server.engine.base.single_file import config_folder
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import load_pipeline, make_tiny_base
from tests.server.engine.base.changed_folders import FAMILIES, change_config, copy_folder, drop_one
from tests.single_file import write_single_file

FP8 = torch.float8_e4m3fn
OLD = "0.8.1"
"""A version of diffusers that wrote what is corrected now."""


def _open(path: Path, *, config: Path | None = None, **asked: Any) -> Opened:
    return open_pipeline(
        path,
        config=None if config is None else str(config),
        asked=Asked(**asked),
        dtype=torch.float32,
    )


def _draw(pipe: Any) -> np.ndarray[Any, Any]:
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(7)
    options = {"num_inference_steps": 4, "guidance_scale": 4.0, "width": 64, "height": 64}
    image = pipe("a red circle", generator=generator, **options).images[0]
    return np.asarray(image).astype(np.int16)


def _rewrite(file: Path, *, said: dict[str, str] | None = None, **tensors: torch.Tensor) -> Path:
    save_file({**load_file(str(file)), **tensors}, str(file), metadata=said)
    return file


@pytest.mark.oracle
@pytest.mark.parametrize("family", FAMILIES)
def test_single_file_is_what_diffusers_reads(
    bases: dict[str, Path], tmp_path: Path, family: str
) -> None:
    """Weights and pictures of a whole file, beside diffusers' own way of reading it."""
    file = write_single_file(bases[family], tmp_path / "x.safetensors")
    alone = load_pipeline(bases[family])
    theirs = type(alone).from_single_file(str(file), config=str(bases[family]))

    ours = _open(file, config=bases[family])

    assert ours.family == family and ours.remarks == ()
    mine = ours.pipeline().unet.state_dict()
    assert all(torch.equal(mine[name], value) for name, value in theirs.unet.state_dict().items())
    assert np.array_equal(_draw(ours.pipeline()), _draw(theirs))


def test_folder_draws_what_diffusers_draws(tiny_base: Path) -> None:
    """To the byte, in float32, without a checker, an extractor or an image encoder."""
    opened = _open(tiny_base)

    pipeline = opened.pipeline()
    assert pipeline.unet.dtype == torch.float32 and not pipeline.unet.training
    assert pipeline.safety_checker is pipeline.feature_extractor is pipeline.image_encoder is None
    assert np.array_equal(_draw(pipeline), _draw(load_pipeline(tiny_base)))


@pytest.mark.parametrize(
    "said", [{"modelspec.prediction_type": "v"}, {"modelspec.predict_key": "v"}]
)
def test_v_prediction_of_metadata_is_drawn(
    tiny_base: Path, tmp_path: Path, said: dict[str, str]
) -> None:
    """A file that says it in its header alone is walked by it: what plain diffusers then draws."""
    file = _rewrite(write_single_file(tiny_base, tmp_path / "x.safetensors"), said=said)
    truth = load_pipeline(tiny_base)
    epsilon = _draw(truth)
    truth.scheduler = DDIMScheduler.from_config(
        truth.scheduler.config, prediction_type="v_prediction"
    )

    opened = _open(file, config=tiny_base)

    drawn = _draw(opened.pipeline())
    assert np.array_equal(drawn, _draw(truth))
    assert np.abs(drawn - epsilon).max() > 30
    assert "as the file says" in opened.remarks[0]


def test_folder_whose_weights_contradict_it(tiny_base: Path, tmp_path: Path) -> None:
    """The header of its UNet says v, its scheduler epsilon: refused, or as a setting says."""
    folder = copy_folder(tiny_base, tmp_path)
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    _rewrite(unet, said={"modelspec.prediction_type": "v"})

    with pytest.raises(BaseNotLoadable, match="contradicts itself") as caught:
        _open(folder)

    assert "base_prediction" in caught.value.hint
    assert np.array_equal(
        _draw(_open(folder, prediction="epsilon").pipeline()), _draw(load_pipeline(tiny_base))
    )


@pytest.mark.parametrize("ending", ["scale_weight", "weight_scale"])
def test_scaled_fp8_draws_its_own_weights(tiny_base: Path, tmp_path: Path, ending: str) -> None:
    """Scales are applied: the picture is that of the rounded weights, to the byte."""
    file = write_single_file(tiny_base, tmp_path / "x.safetensors")
    tensors = load_file(str(file))
    rounded = dict(tensors)
    for key, tensor in load_file(str(file)).items():
        if key.startswith("model.diffusion_model.") and key.endswith(".weight") and tensor.ndim > 1:
            scale = tensor.abs().max().float() / 448
            kept = (tensor / scale).to(FP8)
            rounded[key] = kept.float() * scale.item()
            tensors |= {key: kept, key.removesuffix("weight") + ending: scale}
            assert (rounded[key] - load_file(str(file))[key]).abs().max() <= scale * 16
    tensors["model.diffusion_model.scaled_fp8"] = torch.tensor([], dtype=FP8)
    save_file(tensors, str(tmp_path / "scaled.safetensors"))
    save_file(rounded, str(tmp_path / "rounded.safetensors"))

    scaled = _open(tmp_path / "scaled.safetensors", config=tiny_base)

    truth = StableDiffusionPipeline.from_single_file(
        str(tmp_path / "rounded.safetensors"), config=str(tiny_base), safety_checker=None
    )
    assert np.array_equal(_draw(scaled.pipeline()), _draw(truth))
    assert "eight bits" in scaled.remarks[0]


def test_scales_of_a_folder_are_applied(tiny_base: Path, tmp_path: Path) -> None:
    """A component that was scaled by itself is scaled back, too."""
    folder = copy_folder(tiny_base, tmp_path)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weight = load_file(str(file))["conv_in.weight"]
    scale = weight.abs().max() / 448
    kept = {"conv_in.weight": (weight / scale).to(FP8), "conv_in.scale_weight": scale}
    _rewrite(file, **kept)

    found = _open(folder).pipeline().unet.conv_in.weight

    assert torch.equal(found, kept["conv_in.weight"].float() * scale.item())
    assert torch.allclose(found, weight, atol=float(scale) * 16)


@pytest.mark.parametrize(
    ("said", "remark"),
    [
        ({"modelspec.resolution": "1024x1024"}, "1024x1024"),
        ({"modelspec.resolution": "64"}, ""),
        ({"ss_clip_skip": "2"}, "clip_skip 1"),
        ({"modelspec.encoder_layer": "3"}, "clip_skip 2"),
        ({"ss_clip_skip": "None"}, ""),
        ({"ss_clip_skip": "1"}, ""),
        ({"modelspec.architecture": "stable-diffusion-v1"}, ""),
    ],
)
def test_sizes_and_clip_skip_are_told(
    tiny_base: Path, tmp_path: Path, said: dict[str, str], remark: str
) -> None:
    """What changes no weight is no reason to refuse, and is not passed over."""
    file = _rewrite(write_single_file(tiny_base, tmp_path / "x.safetensors"), said=said)

    remarks = _open(file, config=tiny_base).remarks

    assert [remark in one for one in remarks] == ([True] if remark else [])


def test_other_architecture_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    """A file that says it is of another family than its weights; a setting settles it."""
    said = {"modelspec.architecture": "stable-diffusion-xl-v1-base"}
    file = _rewrite(write_single_file(tiny_base, tmp_path / "x.safetensors"), said=said)

    with pytest.raises(BaseNotLoadable, match="of the sd1 family") as caught:
        _open(file, config=tiny_base)

    assert "base_family = sd1" in caught.value.hint
    assert "as was asked" in _open(file, config=tiny_base, family="sd1").remarks[0]
    with pytest.raises(BaseNotLoadable, match="base_family says sdxl"):
        _open(file, config=tiny_base, family="sdxl")


def test_keys_elsewhere_are_remarked(tiny_base: Path, tmp_path: Path) -> None:
    """A merged checkpoint carries junk: it is served, and told."""
    file = write_single_file(tiny_base, tmp_path / "x.safetensors")
    _rewrite(file, **{"junk.of.a.merge": torch.ones(1)})

    assert "1 key of no component" in _open(file, config=tiny_base).remarks[0]


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "first_stage_model.", "con"])
def test_file_without_a_weight_is_refused(tiny_base: Path, tmp_path: Path, prefix: str) -> None:
    """The same holds for a checkpoint file, whichever part lacks a weight."""
    file = write_single_file(tiny_base, tmp_path / "x.safetensors")
    drop_one(file, prefix=prefix)

    with pytest.raises(BaseNotLoadable, match="lacks 1 weight of its"):
        _open(file, config=tiny_base)


def test_lost_weight_is_never_made_up(tiny_base: Path, tmp_path: Path) -> None:
    """Diffusers would fill it with dice; here it is named."""
    folder = copy_folder(tiny_base, tmp_path)
    lost = drop_one(folder / "unet" / "diffusion_pytorch_model.safetensors")

    with pytest.raises(BaseNotLoadable, match="lacks 1 weight of its unet") as caught:
        _open(folder)

    assert lost in str(caught.value)


def test_configs_of_another_family_are_refused(tiny_base: Path, tmp_path: Path) -> None:
    """Of another pipeline, and of the same with other sizes."""
    file = write_single_file(tiny_base, tmp_path / "x.safetensors")
    large = make_tiny_base(tmp_path / "large", family="sdxl")
    wide = copy_folder(tiny_base, tmp_path)
    change_config(wide / "unet" / "config.json", block_out_channels=[16, 64])

    with pytest.raises(BaseNotLoadable, match="of a StableDiffusionXLPipeline"):
        _open(file, config=large)
    with pytest.raises(BaseNotLoadable, match="its configuration says") as caught:
        _open(file, config=wide)

    assert "base_config" in caught.value.hint


def test_configs_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a folder nor on the hub: the setting is named."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(BaseNotLoadable, match="acme/absent are not here") as caught:
        config_folder("acme/absent", tensors={})

    assert "base_config" in caught.value.hint


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("scheduler", "unet"),
    [
        ({"steps_offset": 0}, {}),
        ({"clip_sample": True}, {}),
        ({"steps_offset": 0, "clip_sample": True}, {"_diffusers_version": OLD}),
        ({}, {"_diffusers_version": "0.9.0"}),
    ],
)
def test_old_configurations_are_corrected(
    tiny_base: Path, tmp_path: Path, scheduler: dict[str, Any], unet: dict[str, Any]
) -> None:
    """Beside the pipeline that reads the same folder."""
    folder = copy_folder(tiny_base, tmp_path)
    change_config(folder / "scheduler" / "scheduler_config.json", **scheduler)
    change_config(folder / "unet" / "config.json", **unet)
    theirs = load_pipeline(folder)

    ours = load_base(str(folder))

    for name in ("steps_offset", "clip_sample"):
        assert ours.scheduler_config[name] == theirs.scheduler.config[name]
    assert ours.network.module.config.sample_size == theirs.unet.config.sample_size
    assert ours.network.module.config.sample_size == (
        64 if unet.get("_diffusers_version") == OLD else 16
    )


def test_unet_of_no_version_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    """In our words, and not when it draws."""
    folder = copy_folder(tiny_base, tmp_path)
    change_config(folder / "unet" / "config.json", _diffusers_version="a long time ago")

    with pytest.raises(BaseNotLoadable, match="a long time ago"):
        load_base(str(folder))
