# SPDX-License-Identifier: Apache-2.0
"""A1111's parameters become the SDK's, and unknown ones are refused by name."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from tabard import InvalidArgument
from tabard_web.a1111.requests import Img2Img, Txt2Img, read_base64

PICTURE = base64.b64encode(b"picture").decode()


def test_parameters_become_those_of_the_sdk() -> None:
    """Prompts are read as A1111 reads them."""
    asked = Txt2Img(
        prompt="a",
        negative_prompt="b",
        seed=7,
        steps=9,
        cfg_scale=3.5,
        width=64,
        height=32,
        batch_size=2,
        n_iter=3,
        sampler_index="Euler",
        scheduler="Karras",
    )

    assert dict(asked.options) == {
        "negative_prompt": "b",
        "seed": 7,
        "num_inference_steps": 9,
        "guidance_scale": 3.5,
        "width": 64,
        "height": 32,
        "num_images": 6,
        "sampler": "Euler",
        "schedule": "Karras",
        "prompt_syntax": "a1111",
    }


def test_nothing_said_is_the_servers_default() -> None:
    """Not A1111's: what fits depends on the base."""
    assert dict(Txt2Img().options) == {"seed": -1, "num_images": 1, "prompt_syntax": "a1111"}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"controlnet_units": []}, "controlnet_units"),
        ({"steps": -1}, "steps"),
        ({"seed": -2}, "seed"),
        ({"batch_size": 0}, "batch_size"),
        ({"cfg_scale": float("inf")}, "cfg_scale"),
        ({"eta": 0.3, "sampler_name": "Euler a"}, "eta"),
        ({"tiling": True}, "tiling"),
        ({"prompt": "\udfff"}, "prompt"),
    ],
)
def test_wrong_parameters_are_refused_by_name(said: dict[str, Any], words: str) -> None:
    """Unknown ones, and those that cannot be."""
    with pytest.raises(ValidationError, match=words):
        Txt2Img(**said)


def test_picture_and_mask_are_read() -> None:
    """With what a data URL puts before them, or without."""
    asked = Img2Img(
        init_images=[f"data:image/png;base64,{PICTURE}"],
        mask=PICTURE,
        denoising_strength=0.4,
        mask_blur=0,  # type: ignore[call-arg]
    )

    options = asked.options
    assert (options["image"], options["mask_image"]) == (b"picture", b"picture")
    assert options["strength"] == 0.4
    assert not {"init_images", "mask"} & {*asked.parameters}


@pytest.mark.parametrize("pictures", [[], [PICTURE, PICTURE]])
def test_one_picture_is_drawn_anew(pictures: list[str]) -> None:
    """Neither none nor several can be."""
    with pytest.raises(InvalidArgument, match="init_images"):
        _ = Img2Img(init_images=pictures).options


@pytest.mark.parametrize("text", ["%", "a", "data:image/png;base64,%"])
def test_no_base64_is_refused(text: str) -> None:
    """By the name of the parameter."""
    with pytest.raises(InvalidArgument, match=r"^mask: "):
        read_base64(text, name="mask")
