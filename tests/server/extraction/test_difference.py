# SPDX-License-Identifier: Apache-2.0
"""Two tensors of one name: their difference, rounding, or why they cannot be compared."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard_server.extraction.errors import TunedModelMismatch, TunedModelNotFinite
from tests.tuned_models import (
    add_low_rank,
    deltas_of,
    extracted,
    make_tuned_model,
    real_deltas,
)


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


def test_rounding_is_no_change(tmp_path: Path, base: Path) -> None:
    """A tuned model that was saved in half precision does not differ in what it only rounded."""

    def change(pipe: Any) -> None:
        pipe.unet.half()
        pipe.text_encoder.half()
        pipe.unet.conv_out.weight.add_(0.5)

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    outcome = extracted(base, tuned, tmp_path / "out", rank=64)

    assert [one.parameter for one in outcome.layers] == ["conv_out.weight"]
    assert outcome.rounded_count > 50


def test_exact_keeps_rounding_too(tmp_path: Path, base: Path) -> None:
    """An exact adapter gives the tuned model's own numbers, rounded ones included."""

    def change(pipe: Any) -> None:
        pipe.unet.half()

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    outcome = extracted(base, tuned, tmp_path / "out", is_exact=True)

    found, real = deltas_of(tmp_path / "out", base), real_deltas(base, tuned)
    assert all(torch.equal(found[stem], real[stem]) for stem in found)
    assert outcome.rounded_count == 0
