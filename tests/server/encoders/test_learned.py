# SPDX-License-Identifier: Apache-2.0
"""A learned encoder: few pictures at a time, each in its place, and never NaN."""

import numpy as np
import pytest
import torch

from tabard_server.encoders.learned import BATCH, LearnedEncoder, Model
from tabard_server.encoders.preprocessing import Preprocessing
from tabard_server.engine_port.errors import DeviceMemoryFull
from tabard_server.errors import NotEvaluable
from tabard_server.judgement.pictures.encoder import EncoderKind
from tests.server.encoders.models import Means
from tests.server.judgement.drawn import picture


def learned(model: Model) -> LearnedEncoder:
    return LearnedEncoder(
        name="mine",
        digest="0" * 64,
        kind=EncoderKind.STYLE,
        model=model,
        preprocessing=Preprocessing(),
        device="cpu",
    )


def test_pictures_come_in_small_batches_and_keep_their_places() -> None:
    """Whatever their sizes; a vector is of unit length, and the same beside others and alone."""
    seen: list[int] = []

    def model(pictures: torch.Tensor) -> torch.Tensor:
        seen.append(len(pictures))
        return Means()(pictures)

    sides = [64] * 20 + [32] * 3 + [64]
    pictures = [picture(seed, side=side) for seed, side in enumerate(sides)]

    vectors = learned(model).embed(pictures)
    alone = np.concatenate([learned(Means()).embed([one]) for one in pictures])

    assert seen == [BATCH, 4, 3, 1]
    assert (vectors.shape, vectors.dtype) == ((24, 6), np.float32)
    assert vectors == pytest.approx(alone, abs=1e-6)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(24), abs=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    """One picture among good ones is enough: a score of it would mean nothing."""

    def model(pictures: torch.Tensor) -> torch.Tensor:
        vectors = Means()(pictures)
        vectors[-1, 0] = value
        return vectors

    with pytest.raises(NotEvaluable) as refusal:
        learned(model).embed([picture(1), picture(2)])

    assert refusal.value.reason == "ENCODER_NOT_FINITE"


def test_full_device_is_said() -> None:
    """With what to do about it, and not as the server's own failure."""

    def model(pictures: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(DeviceMemoryFull) as refusal:
        learned(model).embed([picture(1)])

    assert 'device = "cpu"' in refusal.value.hint


@pytest.mark.parametrize(
    "model",
    [
        lambda pictures: Means()(pictures)[:, : 2 + int(pictures[0, 0, 0, 0] > 0)],
        lambda pictures: Means()(pictures)[0],
        lambda pictures: torch.zeros(0, 6),
        lambda pictures: pictures.reshape(7, -1, 11),
        lambda pictures: [].pop(),
    ],
    ids=["other lengths", "one row", "no rows", "raises in torch", "raises"],
)
def test_failure_is_the_encoders_own(model: Model) -> None:
    """Whatever it is: it passed at the start, and fails on a picture of an evaluation."""
    black, white = (np.full((side, side, 3), n, dtype=np.uint8) for side, n in ((32, 0), (64, 255)))

    with pytest.raises(NotEvaluable) as refusal:
        learned(model).embed([black, white])

    assert refusal.value.reason == "ENCODER_FAILED"
    assert "'mine'" in str(refusal.value)
