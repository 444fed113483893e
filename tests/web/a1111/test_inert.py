# SPDX-License-Identifier: Apache-2.0
"""What changes nothing passes with the values that change nothing, and with no others."""

from typing import Any

import pytest

from tabard_web.a1111.inert import IMG2IMG, MASKED, TXT2IMG, UNMASKED, without_inert


@pytest.mark.parametrize(
    "said",
    [
        {"tiling": False, "restore_faces": False, "styles": [], "script_args": []},
        {"enable_hr": False, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7},
        {"subseed": 7, "subseed_strength": 0.0, "seed_resize_from_h": -1},
        {"s_churn": 0, "s_tmax": 1e9, "s_noise": 1.0},
        {"script_name": "", "alwayson_scripts": {"ControlNet": {"args": []}}},
        {"whatever": None},
    ],
)
def test_inert_values_pass(said: dict[str, Any]) -> None:
    """Nothing of them is left."""
    assert without_inert(said, inert=TXT2IMG) == {}


@pytest.mark.parametrize(
    "said",
    [
        {"tiling": True},
        {"styles": ["mine"]},
        {"enable_hr": True},
        {"subseed_strength": 0.1},
        {"s_noise": 1.01},
        {"script_args": [1]},
        {"alwayson_scripts": {"ADetailer": {"args": [True]}}},
        {"alwayson_scripts": {"ADetailer": {"arg": [True]}}},
        {"alwayson_scripts": {"ADetailer": {"args": [], "enabled": True}}},
        {"alwayson_scripts": {"ADetailer": 1}},
        {"alwayson_scripts": []},
        {"refiner_checkpoint": "other"},
        {"save_images": True},
        {"tiling": "yes"},
    ],
)
def test_other_values_are_refused_by_name(said: dict[str, Any]) -> None:
    """They would change what is drawn, or kept."""
    with pytest.raises(ValueError, match=next(iter(said))):
        without_inert(said, inert=TXT2IMG)


def test_unknown_names_are_left_to_the_request() -> None:
    """There they are refused."""
    assert without_inert({"prompt": "a", "new": 1}, inert=TXT2IMG) == {"prompt": "a", "new": 1}


def test_masks_count_where_there_is_one() -> None:
    """A1111 blurs every mask; here none is blurred, and none is said to be."""
    said = {"mask_blur": 4, "inpaint_full_res": True}

    assert without_inert(said, inert={**IMG2IMG, **UNMASKED}) == {}
    with pytest.raises(ValueError, match="mask_blur"):
        without_inert(said, inert={**IMG2IMG, **MASKED})
