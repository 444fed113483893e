# SPDX-License-Identifier: Apache-2.0
"""A checkpoint file in the original layout: its family, its components, and what is left over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard_server.engine.base.files.checkpoint import arrange, open_checkpoint
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import load_pipeline
from tests.server.engine.base.changed_folders import FAMILIES
from tests.single_file import write_single_file

Tensors = dict[str, torch.Tensor]


def _models(base: Path) -> dict[str, Any]:
    pipe = load_pipeline(base)
    names = ("unet", "vae", "text_encoder", "text_encoder_2")
    return {name: model for name in names if (model := getattr(pipe, name, None)) is not None}


@pytest.fixture(scope="module")
def files(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        family: write_single_file(base, folder / f"{family}.safetensors")
        for family, base in bases.items()
    }


@pytest.fixture(scope="module")
def models(bases: dict[str, Path]) -> dict[str, dict[str, Any]]:
    return {family: _models(base) for family, base in bases.items()}


def _changed(file: Path, folder: Path, change: Callable[[Tensors], object]) -> Path:
    tensors = load_file(str(file))
    change(tensors)
    save_file(tensors, str(folder / "x.safetensors"))
    return folder / "x.safetensors"


def _without_level(tensors: Tensors) -> None:
    for key in [key for key in tensors if "transformer.text_model." in key]:
        tensors[key.replace("text_model.", "")] = tensors.pop(key)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_is_found(
    files: dict[str, Path], models: dict[str, dict[str, Any]], family: str
) -> None:
    """By the name that the model has for it, with the numbers of the folder it came from."""
    checkpoint = open_checkpoint(files[family])

    stored = arrange(checkpoint, models=models[family])

    assert (checkpoint.family, stored.elsewhere) == (family, ())
    for component, model in models[family].items():
        for name, weight in model.state_dict().items():
            found = stored.components[component][name.removeprefix("text_model.")]
            assert torch.equal(found.reshape(weight.shape), weight), name


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_names_of_novelai_are_read(
    files: dict[str, Path], models: dict[str, dict[str, Any]], tmp_path: Path, family: str
) -> None:
    """A text encoder whose keys lack `text_model.` is the same text encoder."""
    file = _changed(files[family], tmp_path, _without_level)

    stored = arrange(open_checkpoint(file), models=models[family])

    for name, weight in models[family]["text_encoder"].state_dict().items():
        assert torch.equal(stored.components["text_encoder"][name], weight)


def test_both_spellings_at_once_are_refused(
    files: dict[str, Path], models: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Of two text encoders in one file, none is chosen by chance."""
    prefix, name = "cond_stage_model.transformer.", "final_layer_norm.bias"
    file = _changed(files["sd1"], tmp_path, lambda t: t.update({prefix + name: torch.ones(32)}))

    with pytest.raises(BaseNotLoadable, match=f"1 key of its text_encoder .*{name}"):
        arrange(open_checkpoint(file), models=models["sd1"])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("prefix", "component"),
    [
        ("model.diffusion_model.", "unet"),
        ("first_stage_model.", "vae"),
        ("cond_stage_model.", "text encoders"),
        ("conditioner.", "text encoders"),
    ],
)
def test_left_over_keys_are_refused(
    files: dict[str, Path],
    models: dict[str, dict[str, Any]],
    tmp_path: Path,
    family: str,
    prefix: str,
    component: str,
) -> None:
    """A key under the prefix of a component that no weight is read from."""
    key = f"{prefix}odd.weight"
    file = _changed(files[family], tmp_path, lambda t: t.update({key: torch.ones(1)}))

    with pytest.raises(BaseNotLoadable, match=f"1 key of its {component} .*{key}"):
        arrange(open_checkpoint(file), models=models[family])


def test_keys_elsewhere_are_told(
    files: dict[str, Path], models: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Junk of a merge and averages of a training, but not what follows from the configuration."""
    junk = {
        "model_ema.decay": torch.ones(1),
        "embedding_manager.x": torch.ones(1),
        "betas": torch.ones(1000),
        "alphas_cumprod": torch.linspace(1, 0, 1000),
        "v_pred": torch.tensor([]),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.ones(1, 32),
        "cond_stage_model.transformer.logit_scale": torch.ones(()),
        "first_stage_model.loss.logvar": torch.ones(()),
    }
    file = _changed(files["sd1"], tmp_path, lambda t: t.update(junk))

    checkpoint = open_checkpoint(file)
    stored = arrange(checkpoint, models=models["sd1"])

    assert stored.elsewhere == ("embedding_manager.x", "model_ema.decay")
    assert len(stored.alphas) == 1000 and "v_pred" in stored.words


def test_last_layer_of_sd2_is_not_looked_at(
    files: dict[str, Path], models: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """SD2's file has one layer more than is used; two would be another encoder."""
    layers = models["sd2"]["text_encoder"].config.num_hidden_layers
    key = "cond_stage_model.model.transformer.resblocks.{}.ln_1.bias"
    one = _changed(files["sd2"], tmp_path, lambda t: t.update({key.format(layers): torch.ones(1)}))

    assert arrange(open_checkpoint(one), models=models["sd2"]).elsewhere == ()
    two = _changed(one, tmp_path, lambda t: t.update({key.format(layers + 1): torch.ones(1)}))

    with pytest.raises(BaseNotLoadable, match="1 key of its text_encoder"):
        arrange(open_checkpoint(two), models=models["sd2"])


def test_missing_vae_is_named(
    files: dict[str, Path], models: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """A checkpoint without VAE says so, and what to do."""

    def drop(tensors: Tensors) -> None:
        for key in [key for key in tensors if key.startswith("first_stage_model.")]:
            del tensors[key]

    file = _changed(files["sd1"], tmp_path, drop)

    with pytest.raises(BaseNotLoadable, match="holds no VAE") as caught:
        arrange(open_checkpoint(file), models=models["sd1"])

    assert "with its VAE" in caught.value.hint


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["lora_unet_conv_in.alpha"], "an adapter"),
        (["model.diffusion_model.input_blocks.0.0.weight"], "no text encoder"),
        (["model.diffusion_model.y", "conditioner.embedders.0.model.x"], "refiner"),
        (["cond_stage_model.transformer.x"], "no UNet"),
    ],
)
def test_keys_say_what_is_missing(tmp_path: Path, keys: list[str], says: str) -> None:
    """An adapter, half a checkpoint and a refiner are told by their keys alone."""
    save_file({key: torch.zeros(1) for key in keys}, str(tmp_path / "x.safetensors"))

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        open_checkpoint(tmp_path / "x.safetensors")

    assert caught.value.hint


def test_pickled_checkpoint_is_refused(tmp_path: Path) -> None:
    """A `.ckpt` is never opened."""
    (tmp_path / "model.ckpt").write_bytes(b"\x80\x04.")

    with pytest.raises(BaseNotLoadable, match=r"is not a \.safetensors file"):
        open_checkpoint(tmp_path / "model.ckpt")
