# SPDX-License-Identifier: Apache-2.0
"""A1111's text is read as it is written, by Tabard and by others."""

import json

import pytest

from tabard import GeneratedImage
from tabard_web.a1111.infotext import read_parameters, tell_images
from tests.web.pictures.files import png_of

FACTS = "Steps: 3, Sampler: DPM++ 2M, Schedule type: Karras"


def test_facts_are_read() -> None:
    """Quoted ones without their quotes; prompts may have many lines."""
    text = (
        "a cat,\nsitting <lora:acme/ink:0.8>\nNegative prompt: dog\nrain\n"
        'Steps: 20, Sampler: Euler a, Size: 64x64, Lora hashes: "acme/ink: c844", Version: x'
    )

    assert read_parameters(text) == {
        "Prompt": "a cat,\nsitting <lora:acme/ink:0.8>",
        "Negative prompt": "dog\nrain",
        "Steps": "20",
        "Sampler": "Euler a",
        "Size": "64x64",
        "Lora hashes": "acme/ink: c844",
        "Version": "x",
    }


@pytest.mark.parametrize("text", ["", "a cat", "a: b, c", "Steps", '"', "\n" * 9])
def test_text_without_facts_is_a_prompt(text: str) -> None:
    """Whoever wrote it."""
    assert read_parameters(text) == {"Prompt": text.strip(), "Negative prompt": ""}


@pytest.mark.parametrize(
    "rest", [" " * 1_000_000, "a " * 500_000, 'a:"' * 300_000, "a:," * 300_000]
)
def test_long_text_is_walked_once(rest: str) -> None:
    """A stranger's text that has no facts, however long: the gateway goes on."""
    assert read_parameters(f"a\nSteps: 3, {rest}x")["Steps"] == "3"


def test_images_tell_of_themselves() -> None:
    """What the server says of them, in A1111's words."""
    provenance = {"prompt": "a", "sampler": "dpmpp_2m", "steps": 3, "clip_skip": 1}
    images = [
        GeneratedImage(
            index=index,
            seed=7 + index,
            content=png_of({"parameters": f"image {index}\n{FACTS}"}),
            provenance_json=json.dumps(provenance),
        )
        for index in range(2)
    ]

    told = tell_images(images)

    assert (told["all_seeds"], told["infotexts"]) == (
        [7, 8],
        [f"image 0\n{FACTS}", f"image 1\n{FACTS}"],
    )
    assert (told["sampler_name"], told["clip_skip"]) == ("DPM++ 2M", 2)
    assert told["all_prompts"] == ["a", "a"]


def test_no_images_tell_nothing() -> None:
    """As after an interruption."""
    assert tell_images([])["infotexts"] == []
