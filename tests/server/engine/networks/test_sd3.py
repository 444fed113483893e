# SPDX-License-Identifier: Apache-2.0
"""SD3.5's transformer behind the protocol."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tabard_server.engine.networks.network import empty_words
from tabard_server.engine.networks.sd3 import SD3Transformer
from tests.tiny_models import T5_WIDTH, tiny_pipeline


@pytest.fixture(scope="module")
def network() -> SD3Transformer:
    torch.manual_seed(0)
    return SD3Transformer(tiny_pipeline("sd3").transformer.double())


def texts(**changes: Any) -> dict[str, Any]:
    """Configurations of its text encoders."""
    return {
        "text_encoder": SimpleNamespace(model_type="clip", hidden_size=32, projection_dim=32),
        "text_encoder_2": SimpleNamespace(model_type="clip", hidden_size=48, projection_dim=24),
        "text_encoder_3": SimpleNamespace(model_type="t5", d_model=T5_WIDTH),
    } | changes


def test_facts_follow_from_its_configuration(network: SD3Transformer) -> None:
    """Channels, sizes, positions, text, and layers that may be left out."""
    assert (network.channels, network.native_side, network.patch) == (16, 16, 2)
    assert network.side_max == 48
    assert (network.text_width, network.pooled_width) == (T5_WIDTH, 56)
    assert network.skippable_blocks == 3


def test_layers_are_left_out(network: SD3Transformer) -> None:
    """Those that are named, and only then."""
    latents = torch.randn(1, 16, 8, 8, dtype=torch.float64)
    words = empty_words(
        network, samples=1, tokens=5, device=torch.device("cpu"), dtype=torch.float64
    )
    time = torch.tensor([500.0])

    with torch.inference_mode():
        whole = network.predict(latents, time, words)
        without = network.predict(latents, time, words, skipped=(1,))

    assert whole.shape == latents.shape
    assert (whole - without).abs().max() > 1e-4
    assert torch.equal(whole, network.predict(latents, time, words, skipped=()))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"text_encoder_3": SimpleNamespace(model_type="t5", d_model=64)}, "its T5 writes 64"),
        (
            {"text_encoder": SimpleNamespace(model_type="clip", hidden_size=99, projection_dim=32)},
            "its CLIPs write 147",
        ),
        (
            {"text_encoder": SimpleNamespace(model_type="clip", hidden_size=32, projection_dim=8)},
            "takes a summary 56 wide, its text encoders write 32",
        ),
    ],
)
def test_parts_are_judged(network: SD3Transformer, changes: dict[str, Any], problem: str) -> None:
    """By how wide each text encoder writes."""
    judged = network.judge(texts(**changes), latent_channels=16)

    assert judged.family == "sd3"
    assert problem in judged.problem and bool(problem) == bool(judged.problem)


def test_t5_may_be_absent(network: SD3Transformer) -> None:
    """Nothing is wrong without it; with a VAE of another base something is."""
    two = {name: one for name, one in texts().items() if name != "text_encoder_3"}

    assert not network.judge(two, latent_channels=16).problem
    assert "latents have 4" in network.judge(two, latent_channels=4).problem
