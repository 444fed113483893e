# SPDX-License-Identifier: Apache-2.0
"""Parameters reach the SDK, or change nothing, or are refused by their names."""

from typing import Any

import pytest
from pydantic import ValidationError

from tabard import GenerateOptions, InvalidArgument
from tabard_web.openai.requests import EditRequest, GenerationRequest


def options_of(**said: Any) -> dict[str, Any]:
    return dict(GenerationRequest(prompt="a", **said).options)


def test_parameters_become_those_of_the_sdk() -> None:
    """OpenAI's by what they mean, Tabard's by their own names."""
    said = {
        "model": "acme/ink:0.8+acme/pen",
        "n": 2,
        "size": "64x32",
        "seed": 7,
        "negative_prompt": "blue",
        "num_inference_steps": 9,
        "guidance_scale": 3.5,
        "sampler": "euler",
        "deterministic": True,
    }

    assert options_of(**said) == {
        "adapters": ("acme/ink:0.8", "acme/pen"),
        "num_images": 2,
        "width": 64,
        "height": 32,
        "seed": 7,
        "negative_prompt": "blue",
        "num_inference_steps": 9,
        "guidance_scale": 3.5,
        "sampler": "euler",
        "deterministic": True,
    }


def test_format_is_the_servers_to_write() -> None:
    """By OpenAI's names, and its best quality where none is said."""
    assert options_of(output_format="webp", output_compression=80)["image_quality"] == 80
    assert options_of(output_format="jpeg")["image_quality"] == 100
    assert options_of(output_format="jpeg")["image_format"] == "jpeg"


def test_every_scalar_of_the_sdk_can_be_said() -> None:
    """What the SDK can say of an image, this door can; but for what only SDXL is told.

    Regions are said behind the refs of a model.
    """
    own = {"adapters", "num_images", "width", "height", "image", "mask_image", "regions"}
    own |= {"image_format", "image_quality"}
    sdxl = {"original_size", "crops_coords_top_left", "target_size"}

    known = set(EditRequest.model_fields)

    assert set(GenerateOptions.__annotations__) - own - sdxl <= known


@pytest.mark.parametrize(
    "said",
    [
        {"user": "somebody"},
        {"safety_identifier": "x"},
        {"quality": "auto"},
        {"quality": "standard"},
        {"moderation": "low"},
        {"background": "opaque"},
        {"style": None},
        {"whatever": None},
        {"size": "auto"},
        {"output_format": "png", "output_compression": 80},
    ],
)
def test_inert_parameters_pass(said: dict[str, Any]) -> None:
    """Clients send them always, and the image is the same."""
    assert options_of(**said) == options_of()


@pytest.mark.parametrize(
    "said",
    [
        {"quality": "hd"},
        {"quality": "high"},
        {"style": "vivid"},
        {"background": "transparent"},
        {"steps": 3},
        {"loras": ["acme/ink"]},
        {"n": 0},
        {"size": "64"},
        {"size": "64x64x64"},
        {"output_format": "gif"},
        {"partial_images": 4},
        {"guidance_scale": float("nan")},
        {"seed": -2},
        {"prompt": "half \ud800"},
    ],
)
def test_what_changes_the_image_is_refused_by_name(said: dict[str, Any]) -> None:
    """It is never passed over."""
    with pytest.raises(ValidationError) as refused:
        GenerationRequest(**({"prompt": "a"} | said))

    assert refused.value.errors()[0]["loc"] == tuple(said)


def test_stream_has_no_urls() -> None:
    """Its events hold the images."""
    options_of(response_format="url")
    with pytest.raises(InvalidArgument, match="response_format"):
        options_of(response_format="url", stream=True)


def test_partial_images_need_a_stream() -> None:
    """They would be lost."""
    with pytest.raises(InvalidArgument, match="partial_images"):
        options_of(partial_images=1)


@pytest.mark.parametrize("count", [0, 2])
def test_one_picture_is_drawn_anew(count: int) -> None:
    """Neither none nor several can be."""
    asked = EditRequest.model_construct(prompt="a", image=None, images=[None] * count)

    with pytest.raises(InvalidArgument, match=f"{count} pictures"):
        _ = asked.picture
