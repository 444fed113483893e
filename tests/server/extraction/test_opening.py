# SPDX-License-Identifier: Apache-2.0
"""Which words mean a tuned model of this base; what no part of the extraction takes."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tabard_registry import check
from tabard_server.engine.base.profile import profile_of
from tabard_server.engine.base.schedules.schedule import Asked
from tabard_server.engine_port.errors import BaseNotLoadable
from tabard_server.extraction.errors import TunedModelMismatch, TunedModelUnreadable
from tabard_server.extraction.extraction import extract
from tabard_server.extraction.settings import ComparisonSettings, ExtractionSettings, RankRule
from tests.bases import make_tiny_base, write_kohya_lora
from tests.single_file import write_single_file
from tests.tuned_models import add_low_rank, extracted, make_tuned_model


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


def test_trainers_epsilon_is_no_flow(tmp_path: Path) -> None:
    """Kohya's write epsilon into models of SD3.5, too."""
    base = make_tiny_base(tmp_path / "base", family="sd3")
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    (weights,) = (tuned / "transformer").glob("*.safetensors")
    said = {"format": "pt", "modelspec.prediction_type": "epsilon"}
    save_file(load_file(str(weights)), str(weights), metadata=said)

    assert extracted(base, tuned, tmp_path / "out.safetensors", rank=4).accepted


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
        assert not str(refused.value).startswith("the base"), name


@pytest.mark.parametrize("is_file", [False, True])
def test_named_prediction_settles_it(tmp_path: Path, is_file: bool) -> None:
    """Of a base that contradicts itself, and of what was trained from it, the caller says it."""
    base = make_tiny_base(tmp_path / "base")
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    weights = base / "unet" / "diffusion_pytorch_model.safetensors"
    said = {"modelspec.prediction_type": "v"}
    save_file(load_file(str(weights)), str(weights), metadata={"format": "pt", **said})
    if is_file:
        tuned = write_single_file(tuned, tmp_path / "v.safetensors", marks=("v_pred",))
    with pytest.raises(BaseNotLoadable, match="contradicts itself"):
        extracted(base, tuned, tmp_path / "out", rank=4)

    asked = Asked(prediction="v_prediction")
    comparison = ComparisonSettings(prompts=("a red circle",), steps=2, pixels=32)
    outcome = extract(
        str(tuned),
        base=str(base),
        out=tmp_path / "out",
        settings=ExtractionSettings(ranks=RankRule(rank=4), comparison=comparison),
        asked=asked,
    )

    assert outcome.accepted and outcome.image_error is not None and outcome.image_error < 0.01
    report = check([tmp_path / "out"], profile=profile_of(str(base), asked=asked)).report
    assert report.accepted
