# SPDX-License-Identifier: Apache-2.0
"""A comparison on a real server shares its batches, and draws what each request alone would."""

import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from tabard import Client, InvalidArgument
from tabard.pictures.difference import apart

SAID = {"num_inference_steps": 4, "guidance_scale": 4.0}


def picture(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGB")


@pytest.fixture(scope="module")
def styles(tiny_client: Client, tiny_files: Mapping[str, Path]) -> Client:
    """The tiny server with two styles and a word."""
    for name, file in (("one", "style0"), ("two", "style1"), ("plum", "plum")):
        tiny_client.publish(
            f"side/{name}", tiny_files[file], version="1.0.0",
            trigger_words=[] if name == "plum" else [f"{name}ish"],
        )  # fmt: skip
    return tiny_client


def test_cells_are_what_requests_alone_draw(styles: Client) -> None:
    """Within what a batch may bring about, whoever else is in it; and most share a pass."""
    before = styles.status()

    found = styles.compare(
        ["side/one@1.0.0", "side/two@1.0.0:0.7"], prompts=["a cat {trigger}", "a dog"],
        weights=(0.5, 1.0), seeds=(3, 9), base=True, num_inference_steps=4, guidance_scale=4.0,
    ).result()  # fmt: skip

    after = styles.status()
    assert len(found) == 16
    assert after.row_steps - before.row_steps == 16 * 4
    assert (after.row_steps - before.row_steps) >= 2 * (after.steps - before.steps)
    for one in found[:4]:
        alone = styles.generate(
            one.cell.prompt, adapters=one.cell.side.stack, seed=one.cell.seed, **SAID
        ).images[0]
        assert apart(picture(alone.content), picture(one.image.content)).max <= 1
    assert [one.cell.prompt for one in found[:4]] == ["a cat", "a cat oneish", "a cat oneish",
                                                      "a cat twoish"]  # fmt: skip


def test_word_is_worn_where_it_stands(styles: Client) -> None:
    """Its prompts name it; those that do not are refused before anything is drawn."""
    found = styles.compare("side/plum@1.0.0", prompts="a {trigger} cat", seeds=(3,), weights=(
        0.5, 1.0), num_inference_steps=4).result()  # fmt: skip

    assert [one.worn[0].adapter for one in found] == ["side/plum"]
    with pytest.raises(InvalidArgument) as caught:
        styles.compare("side/plum@1.0.0", prompts="a cat")
    assert caught.value.reason == "TRIGGER_MISSING"
