# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard_server.extraction.errors import (
    TunedModelMismatch,
    TunedModelNotFinite,
    TunedModelUnreadable,
)
from tests.bases import load_pipeline, make_tiny_base, write_kohya_lora
from tests.server.extraction.tuned_models import add_low_rank, extracted, make_tuned_model
from tests.single_file import write_single_file


@pytest.mark.parametrize("is_file", [False, True])
@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_other_family_is_refused(tmp_path: Path, base: Path, family: str, is_file: bool) -> None:
    """A tuned model of another family has nothing to subtract, and leaves no file behind."""
    other = make_tiny_base(tmp_path / "other", family=family)
    if is_file:
        other = write_single_file(other, tmp_path / "other.safetensors")

    with pytest.raises(TunedModelMismatch) as refused:
        extracted(base, other, tmp_path / "out", rank=4)

    assert "trained from" in refused.value.hint
    assert not (tmp_path / "out").exists()


def test_other_shapes_are_named(tmp_path: Path, base: Path) -> None:
    """A parameter of another shape is named with both shapes."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    file = tuned / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(file) | {"conv_in.weight": torch.zeros(16, 9, 3, 3)}, str(file))

    with pytest.raises(TunedModelMismatch, match=r"conv_in.weight is \[16, 9, 3, 3\], here"):
        extracted(base, tuned, tmp_path / "out", rank=4)


def test_missing_parameters_are_named(tmp_path: Path, base: Path) -> None:
    """Half a tuned model is refused, and never filled up with the base."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    file = tuned / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["conv_in.weight"]
    save_file(tensors, str(file))

    with pytest.raises(TunedModelMismatch, match=r"conv_in\.weight"):
        extracted(base, tuned, tmp_path / "out", rank=4)


def test_unknown_parameters_are_told(tmp_path: Path, base: Path) -> None:
    """A weight that the base has no place for is not dropped in silence."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    file = tuned / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(file) | {"extra.weight": torch.zeros(3)}, str(file))

    outcome = extracted(base, tuned, tmp_path / "out", rank=4)

    assert outcome.unused == ("unet.extra.weight",)
    assert any("unet.extra.weight" in said for said in outcome.warnings)


def test_average_of_trainer_is_told(tmp_path: Path, base: Path) -> None:
    """Keys of a single file outside all components are told, too."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    file = write_single_file(tuned, tmp_path / "tuned.safetensors")
    extra = {"model_ema.decay": torch.ones(1), "model.diffusion_model.odd": torch.ones(1)}
    save_file(load_file(file) | extra, str(file))

    outcome = extracted(base, file, tmp_path / "out", rank=4)

    assert outcome.unused == tuple(sorted(extra))


def test_nan_is_refused_by_name(tmp_path: Path, base: Path) -> None:
    """One NaN anywhere refuses the tuned model."""

    def change(pipe: Any) -> None:
        pipe.unet.mid_block.resnets[0].norm2.bias[3] = float("nan")

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    with pytest.raises(TunedModelNotFinite, match=r"unet\.mid_block\.resnets\.0\.norm2\.bias"):
        extracted(base, tuned, tmp_path / "out", rank=4)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["tuned"]


def test_added_words_are_refused(tmp_path: Path, base: Path) -> None:
    """A larger vocabulary is a textual inversion, and the hint says so."""

    def change(pipe: Any) -> None:
        pipe.text_encoder.resize_token_embeddings(700)

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    with pytest.raises(TunedModelMismatch) as refused:
        extracted(base, tuned, tmp_path / "out", rank=4)
    assert "textual inversion" in refused.value.hint


@pytest.mark.parametrize("is_file", [False, True])
def test_other_prediction_is_refused(tmp_path: Path, base: Path, is_file: bool) -> None:
    """A UNet that predicts something else is no fine-tune, whatever its shapes."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    if is_file:
        tuned = write_single_file(tuned, tmp_path / "v.safetensors", marks=("v_pred",))
    else:
        file = tuned / "scheduler" / "scheduler_config.json"
        config = json.loads(file.read_text())
        file.write_text(json.dumps(config | {"prediction_type": "v_prediction"}))

    with pytest.raises(TunedModelMismatch, match="predicts v_prediction"):
        extracted(base, tuned, tmp_path / "out", rank=4)


def test_unreadable_things_are_refused(tmp_path: Path, base: Path) -> None:
    """Nothing there, a pickle, half a file, an empty folder, and an adapter: each says why."""
    (tmp_path / "pickle.ckpt").write_bytes(b"\x80\x04K\x01.")
    (tmp_path / "empty").mkdir()
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    whole = write_single_file(tuned, tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    adapter = tmp_path / "lora.safetensors"
    write_kohya_lora(base, adapter, seed=1)
    (tuned / "unet" / "diffusion_pytorch_model.safetensors").rename(tmp_path / "gone")

    names = ("nowhere", "pickle.ckpt", "empty", "half.safetensors", "lora.safetensors", "tuned")
    for name in names:
        with pytest.raises(TunedModelUnreadable) as refused:
            extracted(base, tmp_path / name, tmp_path / "out", rank=4)
        assert refused.value.hint, name


def test_half_precision_folder_is_read(tmp_path: Path, base: Path) -> None:
    """Where nothing but half-precision files lie, they are read; both: the full ones."""
    pipe = load_pipeline(base)
    with torch.no_grad():
        add_low_rank(2)(pipe)
    pipe.save_pretrained(str(tmp_path / "half"), variant="fp16")
    pipe.save_pretrained(str(tmp_path / "both"), variant="fp16")
    pipe.save_pretrained(str(tmp_path / "both"))

    digests = {
        extracted(base, tmp_path / name, tmp_path / f"{name}.out", rank=4).file_sha256
        for name in ("half", "both")
    }

    assert len(digests) == 2  # the header names the checkpoint's own digest
