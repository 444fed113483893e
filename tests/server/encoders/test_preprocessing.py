# SPDX-License-Identifier: Apache-2.0
"""Pictures are prepared as the image processors of transformers prepare them."""

from typing import Any

import numpy as np
import pytest
from transformers import CLIPImageProcessorPil
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

from tabard_server.encoders.preprocessing import (
    AS_SSCD,
    NotPreprocessable,
    Preprocessing,
)
from tests.server.encoders.models import CLIP_PROCESSOR, DINO_PROCESSOR
from tests.server.judgement.drawn import picture

TALL = np.ascontiguousarray(picture(5, side=97)[:, :61])
WIDE = np.ascontiguousarray(picture(6, side=83)[:40])
PICTURES = (picture(1), picture(2, side=20), TALL, WIDE)


@pytest.mark.parametrize(
    ("processor", "changes"),
    [
        (CLIPImageProcessorPil, CLIP_PROCESSOR),
        (BitImageProcessorPil, DINO_PROCESSOR),
        (CLIPImageProcessorPil, {}),
        (CLIPImageProcessorPil, {"do_resize": False, "do_center_crop": False}),
        (CLIPImageProcessorPil, {"size": {"height": 30, "width": 44}, "do_center_crop": False}),
        (CLIPImageProcessorPil, {**CLIP_PROCESSOR, "do_normalize": False, "resample": 2}),
        (BitImageProcessorPil, {**DINO_PROCESSOR, "do_rescale": False, "resample": 1}),
    ],
)
def test_pictures_are_as_the_processor_makes_them(processor: Any, changes: dict[str, Any]) -> None:
    """Small and large, tall and wide, to the rounding of a float."""
    oracle = processor(**changes)
    ours = Preprocessing.of(oracle.to_dict())

    for one in PICTURES:
        wanted = oracle(images=one, return_tensors="np", input_data_format="channels_last")
        assert ours.apply(one) == pytest.approx(wanted["pixel_values"][0], abs=2e-6, rel=2e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"do_pad": True}, "do_pad"),
        ({"size": {"longest_edge": 64}}, "longest_edge"),
        ({"size": {"shortest_edge": 100_000}}, "between 1 and 1024"),
        ({"crop_size": {"height": 99, "width": 99}, "size": {"shortest_edge": 32}}, "larger"),
        ({"image_std": [0.0, 1.0, 1.0]}, "cannot be"),
        ({"image_mean": [float("nan"), 1.0, 1.0]}, "cannot be"),
        ({"image_mean": [0.5]}, "three channels"),
        ({"image_mean": None}, "missing"),
        ({"resample": 17}, "resample"),
        ({"rescale_factor": "much"}, "much"),
    ],
)
def test_what_is_not_known_is_refused(changes: dict[str, Any], words: str) -> None:
    """Rather than done otherwise than the model was trained."""
    config = CLIPImageProcessorPil(**CLIP_PROCESSOR).to_dict() | changes

    with pytest.raises((NotPreprocessable, ValueError), match=words):
        Preprocessing.of(config)


def test_key_tells_preparations_apart() -> None:
    """One that differs makes other vectors."""
    assert (
        AS_SSCD.key
        == Preprocessing(
            shortest_edge=288, resampling=2, mean=AS_SSCD.mean, deviation=AS_SSCD.deviation
        ).key
    )
    assert AS_SSCD.key != Preprocessing(shortest_edge=288, resampling=2).key
