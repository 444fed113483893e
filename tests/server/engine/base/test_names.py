# SPDX-License-Identifier: Apache-2.0
"""Names of layers and weights, whatever the installed library calls them."""

import pytest
import torch
from torch import nn

from tabard_server.engine.base.names import classic_name, plain_weights


@pytest.mark.parametrize(
    ("name", "component", "classic"),
    [
        ("conv_in", "unet", "conv_in"),
        ("encoder.layers.0.mlp.fc1", "text_encoder", "text_model.encoder.layers.0.mlp.fc1"),
        ("text_model.final_layer_norm", "text_encoder", "text_model.final_layer_norm"),
        ("text_projection", "text_encoder_2", "text_projection"),
    ],
)
def test_classic_names_of_any_library(name: str, component: str, classic: str) -> None:
    """Text encoders had one more level, but for the projection."""
    assert classic_name(name, component) == classic


@pytest.mark.parametrize("level", ["text_model", "encoder"])
def test_plain_weights_have_no_level(level: str) -> None:
    """A model that still has the level and one that does not want the same weights."""
    model = nn.Sequential()
    model.add_module(level, nn.Linear(1, 1))
    names = {"weight", "bias"} if level == "text_model" else {"encoder.weight", "encoder.bias"}

    found = plain_weights(model)

    assert found.keys() == names
    assert all(isinstance(weight, torch.Tensor) for weight in found.values())
