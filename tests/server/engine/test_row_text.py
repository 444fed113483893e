# SPDX-License-Identifier: Apache-2.0
"""What the UNet is told of a row: its prompts, read while its own adapters are worn."""

from typing import Any

import numpy as np
import pytest
import torch

from tabard_server.adapters.host_adapter import HostAdapter, TokenVectors
from tabard_server.engine.engine import Engine
from tabard_server.engine.row_text import text_key
from tabard_server.engine.text.conditioning import Conditioning
from tabard_server.engine_port.prompt_style import PromptStyle
from tabard_server.engine_port.regions import Region
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import Controls, Strength
from tests.server.drawings import row_spec


def release(digest: str, *, tokens: tuple[TokenVectors, ...] = ()) -> HostAdapter:
    """An adapter that changes nothing."""
    return HostAdapter(
        digest=digest, kind="lora", rank=0, layers={}, tokens=tokens, changes=(), resident_bytes=0
    )


INK = ((release("ink"), 1.0),)


@torch.inference_mode()
def encode(engine: Engine, spec: RowSpec) -> Conditioning:
    """Encode a row's prompts in its slots."""
    with engine.slots.held([adapter for adapter, _ in spec.stack]) as slots:  # type: ignore[misc]
        return engine._text.encode(spec, slots=slots)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "a blue square"},
        {"negative_prompt": "blur"},
        {"guidance_scale": 1.0},
        {"style": PromptStyle(syntax="a1111")},
        {"clip_skip": 1},
        {"stack": INK},
        {"stack": ((release("ink"), 0.5),)},
        {"stack": ((release("inks"), 1.0),)},
    ],
)
def test_key_has_whatever_shapes_text(changes: dict[str, Any]) -> None:
    """Rows of other words, or that wear another stack, share no text."""
    assert text_key(row_spec(**changes)) != text_key(row_spec())


@pytest.mark.parametrize(
    "changes", [{"seed": 99}, {"steps": 9}, {"guidance_scale": 7.0}, {"width": 128}]
)
def test_images_of_a_job_share_text(changes: dict[str, Any]) -> None:
    """What only the UNet and the sampler see costs no other encoding."""
    assert text_key(row_spec(**changes)) == text_key(row_spec())


@pytest.mark.parametrize(("scale", "samples"), [(5.0, 2), (1.0, 1)])
def test_guidance_needs_the_negative_prompt(engine: Engine, scale: float, samples: int) -> None:
    """Two texts with guidance, the negative one first; without it one."""
    told = encode(engine, row_spec(guidance_scale=scale, negative_prompt="a blue star"))

    alone = encode(engine, row_spec(guidance_scale=1.0))
    assert len(told.text) == samples
    torch.testing.assert_close(told.text[-1], alone.text[0])
    assert samples == 1 or (told.text[0] - told.text[1]).abs().max() > 0.01


def test_worn_stack_shapes_the_text(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """As it is opened, and not a bit of it is left for the next row."""
    bare = encode(engine, row_spec())

    worn = encode(engine, row_spec(stack=((adapters["diffusers"], 1.0),)))

    assert (worn.text - bare.text).abs().max() > 0.01
    assert torch.equal(encode(engine, row_spec()).text, bare.text)


def test_placeholders_are_the_rows_own(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """A word that an adapter teaches means it where it is worn, and its letters elsewhere."""
    taught = row_spec(prompt="a <plum>", stack=((adapters["plum"], 1.0),))

    found, plain = encode(engine, taught), encode(engine, row_spec(prompt="a <plum>"))

    assert (found.text - plain.text).abs().max() > 0.01


def parts(**prompts: str) -> tuple[Region, ...]:
    """Parts of a picture, the rest among them."""
    return tuple(
        Region(name="" if name == "rest" else name, shares=np.ones((16, 16)), prompt=prompt)
        for name, prompt in prompts.items()
    )


def test_parts_are_encoded_in_what_they_wear(
    engine: Engine, adapters: dict[str, HostAdapter]
) -> None:
    """Each as a row of its own would be; the negative prompt too, for it is read by the same."""
    ink = adapters["diffusers"]
    there = Strength(weight=1.0, controls=Controls(region="a"))
    regions = parts(rest="a red circle", a="a blue star")

    told = encode(engine, row_spec(stack=((ink, there),), regions=regions))

    rest = encode(engine, row_spec())
    part = encode(engine, row_spec(prompt="a blue star", stack=((ink, 1.0),)))
    torch.testing.assert_close(told.text, torch.cat([rest.text, part.text]))


def test_parts_that_are_told_the_same_share_text() -> None:
    """Where nothing else is worn and nothing else is said."""
    regions = parts(rest="a", a="a", b="b")
    there = Strength(weight=1.0, controls=Controls(region="a"))
    plain = row_spec(regions=regions)
    apart = row_spec(regions=regions, stack=((release("ink"), there),))

    assert text_key(plain, part=0) == text_key(plain, part=1) != text_key(plain, part=2)
    assert text_key(apart, part=0) != text_key(apart, part=1)
    assert text_key(apart, part=0) == text_key(row_spec(prompt="a"))


def test_taught_words_are_known_in_every_part() -> None:
    """An adapter that acts elsewhere teaches its words here too: other text, another key."""
    vectors = TokenVectors(component="text_encoder", token="<plum>", vectors=torch.ones(1, 32))
    there = Strength(weight=1.0, controls=Controls(region="a"))
    regions = parts(rest="a <plum>", a="b")

    taught = row_spec(regions=regions, stack=((release("plum", tokens=(vectors,)), there),))

    assert text_key(taught, part=0) != text_key(row_spec(regions=regions), part=0)
    assert "plum" in text_key(taught, part=0).releases


def test_text_is_found_again_bit_for_bit(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """In a later job with other seeds and sizes, after other texts in other stacks."""
    worn = {"stack": ((adapters["diffusers"], 0.7),), "negative_prompt": "a blue star"}
    first = encode(engine, row_spec(**worn))
    for weight in (0.1, -1.0):
        encode(engine, row_spec(stack=((adapters["diffusers"], weight),)))

    again = encode(engine, row_spec(**worn, seed=77, width=128, steps=9))

    assert again is first
    engine._text.kept.clear()
    anew = encode(engine, row_spec(**worn))
    assert anew is not first
    assert torch.equal(anew.text, first.text)


def test_withdrawn_release_leaves_no_text(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """What was encoded in it goes with its slot; everybody else's stays."""
    worn, bare = row_spec(stack=((adapters["diffusers"], 1.0),)), row_spec()
    first, plain = encode(engine, worn), encode(engine, bare)

    assert engine.forget(adapters["diffusers"].digest)

    assert encode(engine, worn) is not first
    assert encode(engine, bare) is plain
