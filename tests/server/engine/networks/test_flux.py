# SPDX-License-Identifier: Apache-2.0
"""Flux.1's transformer behind the protocol."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline

from tabard_server.engine.networks.flux import FluxTransformer
from tabard_server.engine.networks.network import Words, empty_words
from tests.server.drawings import drawing
from tests.tiny_models import T5_WIDTH, tiny_pipeline

SIDES = (6, 8)


@pytest.fixture(scope="module")
def network() -> FluxTransformer:
    torch.manual_seed(0)
    return FluxTransformer(tiny_pipeline("flux").transformer)


def words_of(network: FluxTransformer) -> Words:
    """Words of one sample."""
    return empty_words(
        network, samples=1, tokens=5, device=torch.device("cpu"), dtype=torch.float32
    )


def test_guidance_is_a_number(network: FluxTransformer) -> None:
    """It is told what a request says, and draws no second sample."""
    asked = drawing(guidance="distilled", guidance_scale=3.5)

    assert (network.guidance, network.numbers) == ("distilled", 1)
    assert network.numbers_of(asked) == (3.5,)
    assert asked.samples == 1


def test_latents_are_packed_as_diffusers_packs(network: FluxTransformer) -> None:
    """Patches, places and time are its pipeline's, and what it says is latents again."""
    latents = torch.randn(1, 16, *SIDES)
    height, width = SIDES

    found = network.arguments(latents, torch.tensor([250.0]), words_of(network))

    packed = FluxPipeline._pack_latents(latents, 1, 16, height, width)
    places = FluxPipeline._prepare_latent_image_ids(
        1, height // 2, width // 2, torch.device("cpu"), torch.float32
    )
    assert torch.equal(found["hidden_states"], packed)
    assert torch.equal(found["img_ids"], places)
    assert torch.equal(found["timestep"], torch.tensor([0.25]))
    assert torch.equal(network.unpacked(packed, shape=latents.shape), latents)


def test_sequence_has_no_longest_side(network: FluxTransformer) -> None:
    """Places are computed; sides are multiples of a patch."""
    assert network.side_max is None
    assert (network.channels, network.patch, network.native_side) == (16, 2, 128)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"text_encoder_2": SimpleNamespace(model_type="t5", d_model=64)}, "its T5 writes 64"),
        (
            {"text_encoder": SimpleNamespace(model_type="clip_text_model", hidden_size=64)},
            "takes a summary 32 wide, its text encoders write 64",
        ),
    ],
)
def test_parts_are_judged(network: FluxTransformer, changes: dict[str, Any], problem: str) -> None:
    """By how wide each text encoder writes."""
    texts = {
        "text_encoder": SimpleNamespace(model_type="clip_text_model", hidden_size=32),
        "text_encoder_2": SimpleNamespace(model_type="t5", d_model=T5_WIDTH),
    }
    judged = network.judge(texts | changes, latent_channels=16)

    assert judged.family == "flux"
    assert problem in judged.problem and bool(problem) == bool(judged.problem)


def test_positions_fill_a_head() -> None:
    """Else its first step would fail."""
    module = tiny_pipeline("flux").transformer
    module.register_to_config(axes_dims_rope=(4, 4, 4))

    judged = FluxTransformer(module).judge(
        {"text_encoder": SimpleNamespace(model_type="clip_text_model", hidden_size=32)},
        latent_channels=16,
    )

    assert "axes_dims_rope are (4, 4, 4)" in judged.problem
