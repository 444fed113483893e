# SPDX-License-Identifier: Apache-2.0
"""Encoders are loaded as transformers alone loads them, and tried before a server starts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

from tabard_server.encoders.learned import LearnedEncoder
from tabard_server.encoders.loading import load_encoders
from tabard_server.errors import BadSettings
from tabard_server.judgement.pictures.encoder import EncoderKind
from tests.server.encoders.models import (
    BYTES_MAX,
    CLIP_PROCESSOR,
    DINO_PROCESSOR,
    Means,
    encoder,
    save_clip,
    save_dinov2,
    save_script,
)
from tests.server.judgement.drawn import picture

PICTURES = [picture(1), picture(2), np.ascontiguousarray(picture(3, side=90)[:, :50])]


class Blind(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.ones(images.shape[0], 4)


class Flat(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(1, 2, 3))


class Choosy(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.reshape(-1, 7, 11)


class Nan(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.log(-1.0 - images.abs().mean(dim=(2, 3)))


def load(path: Path | str, **changes: Any) -> LearnedEncoder:
    (found,) = load_encoders([encoder(path, **changes)], engine_device="cpu", bytes_max=BYTES_MAX)
    return found


def refusal_of(path: Path) -> BadSettings:
    with pytest.raises(BadSettings) as refusal:
        load(path)
    assert refusal.value.names == ("encoders",)
    assert refusal.value.hint
    return refusal.value


def unit(vectors: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


@torch.inference_mode()
def alone(model: Any, processor: Any, output: str) -> np.ndarray:
    """One picture at a time, by transformers alone."""
    found = [
        getattr(model(**processor(images=[one], return_tensors="pt")), output) for one in PICTURES
    ]
    return unit(torch.cat(found))


@pytest.mark.parametrize("is_whole", [False, True])
def test_clip_sees_as_transformers_does(tmp_path: Path, is_whole: bool) -> None:
    """The half that sees, and a whole CLIP whose projection only its own config tells."""
    model = save_clip(tmp_path, is_whole=is_whole, projection=20)
    wanted = alone(model, CLIPImageProcessorPil(**CLIP_PROCESSOR), "image_embeds")

    found = load(tmp_path, kind="style")

    assert (found.kind, found.is_learned) == (EncoderKind.STYLE, True)
    assert found.embed(PICTURES) == pytest.approx(wanted, abs=1e-5)


def test_dinov2_sees_as_transformers_does(tmp_path: Path) -> None:
    """By its pooled output."""
    model = save_dinov2(tmp_path)
    wanted = alone(model, BitImageProcessorPil(**DINO_PROCESSOR), "pooler_output")

    found = load(tmp_path, kind="subject")

    assert found.kind is EncoderKind.SUBJECT
    assert found.embed(PICTURES) == pytest.approx(wanted, abs=1e-5)


def test_script_sees_as_it_does_alone(tmp_path: Path) -> None:
    """Pictures of two sizes, each brought to the same shorter side."""
    found = load(save_script(tmp_path / "means.pt"), kind="copy")

    vectors = found.embed(PICTURES)
    given = [torch.from_numpy(found.preprocessing.apply(one)[None]) for one in PICTURES]

    assert found.kind is EncoderKind.COPY
    assert vectors == pytest.approx(unit(torch.cat([Means()(one) for one in given])), abs=1e-6)


def test_demo_encoders_load() -> None:
    """The ones that come with the demo base, by their word."""
    style, subject = load("demo", kind="style"), load("demo", kind="subject")

    assert style.embed(PICTURES).shape == (3, 32)
    assert subject.embed(PICTURES).shape == (3, 64)


@pytest.mark.parametrize(
    ("model", "reason", "words"),
    [
        (Blind(), "ENCODER_UNSUITABLE", "same vector"),
        (Flat(), "ENCODER_UNSUITABLE", "numbers of the shape"),
        (Choosy(), "ENCODER_UNSUITABLE", "fails on a picture"),
        (Nan(), "ENCODER_NOT_FINITE", "NaN or Inf"),
    ],
)
def test_models_that_see_nothing_are_refused(
    tmp_path: Path, model: torch.nn.Module, reason: str, words: str
) -> None:
    """Each before a server starts, by what it made of two pictures."""
    refusal = refusal_of(save_script(tmp_path / "model.pt", model))

    assert (refusal.reason, words in str(refusal)) == (reason, True)


def test_nan_weights_are_refused(tmp_path: Path) -> None:
    """They load, and every vector of theirs is NaN."""
    save_dinov2(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    weights["layernorm.weight"] = torch.full_like(weights["layernorm.weight"], float("nan"))
    save_file(weights, file, metadata={"format": "pt"})

    assert refusal_of(tmp_path).reason == "ENCODER_NOT_FINITE"


@pytest.mark.parametrize("what", ["missing", "cut"])
def test_incomplete_weights_are_refused(tmp_path: Path, what: str) -> None:
    """Transformers would make up what is missing, and say so in a log."""
    save_dinov2(tmp_path)
    file = tmp_path / "model.safetensors"
    if what == "missing":
        weights = load_file(file)
        del weights["layernorm.weight"]
        save_file(weights, file, metadata={"format": "pt"})
    else:
        file.write_bytes(file.read_bytes()[:-100])

    refusal = refusal_of(tmp_path)

    assert refusal.reason == "ENCODER_UNREADABLE"
    assert "cannot be loaded" in str(refusal)
