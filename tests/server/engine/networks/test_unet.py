# SPDX-License-Identifier: Apache-2.0
"""UNets behind the protocol."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tabard_server.engine.networks.network import Words
from tabard_server.engine.networks.unet import UNet
from tests.server.drawings import drawing
from tests.tiny_models import tiny_pipeline


@pytest.fixture(scope="module")
def large() -> UNet:
    return UNet(tiny_pipeline("sdxl").unet)


@pytest.fixture(scope="module")
def small() -> UNet:
    return UNet(tiny_pipeline("sd1").unet)


def test_large_is_told_sizes(large: UNet, small: UNet) -> None:
    """And its summary's width follows from its configuration."""
    asked = drawing(width=64, height=48)

    assert (large.pooled_width, large.numbers) == (24, 6)
    assert large.numbers_of(asked) == asked.time_ids
    assert (small.pooled_width, small.numbers, small.numbers_of(asked)) == (0, 0, ())


def test_words_are_its_arguments(large: UNet) -> None:
    """What it is called with is what it is told."""
    text, pooled, numbers = torch.ones(2, 3, 80), torch.ones(2, 24), torch.ones(2, 6)
    words = Words(text=text, pooled=pooled, numbers=numbers)

    found = large.arguments(torch.zeros(2, 4, 16, 16), torch.zeros(2), words)

    assert found["encoder_hidden_states"] is text
    assert found["added_cond_kwargs"] == {"text_embeds": pooled, "time_ids": numbers}


@pytest.mark.parametrize(
    ("family", "widths", "problem"),
    [
        ("sd1", [32], ""),
        ("sd2", [40], ""),
        ("sdxl", [32, 48], ""),
        ("sd1", [48], "reads text 32 wide, its text encoders write 48"),
        ("sd1", [16, 16], "takes no pooled text and sizes"),
        ("sdxl", [80], "wants text_time conditioning"),
    ],
)
def test_parts_are_judged(family: str, widths: list[int], problem: str) -> None:
    """By how wide text is, and by what the UNet wants."""
    texts: dict[str, Any] = {
        f"text_encoder_{n}": SimpleNamespace(hidden_size=width) for n, width in enumerate(widths)
    }
    judged = UNet(tiny_pipeline(family).unet).judge(texts, latent_channels=4)

    assert judged.family == family or problem
    assert problem in judged.problem and bool(problem) == bool(judged.problem)
