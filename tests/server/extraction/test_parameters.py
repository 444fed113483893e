# SPDX-License-Identifier: Apache-2.0
"""The parameters of a base: each once, under its classic name, with its part in a file."""

from collections import Counter
from pathlib import Path

import pytest

from tabard_server.engine.base.loading import Base, load_base
from tabard_server.engine.base.profile import read_profile
from tabard_server.extraction.parameters import Parameter, parameters_of, vae_parameters_of


@pytest.fixture(scope="module")
def loaded(base: Path) -> Base:
    return load_base(str(base))


def all_of(base: Base, component: str) -> dict[str, Parameter]:
    """Return the parameters of a component by name."""
    found = parameters_of(base, profile=read_profile(base))
    return {one.name: one for one in found if one.component == component}


@pytest.mark.parametrize("component", ["unet", "text_encoder"])
def test_no_parameter_is_left_out(loaded: Base, component: str) -> None:
    """As many numbers as the model has; nothing twice."""
    numbers = [one.weight.numel() for one in all_of(loaded, component).values()]

    assert sum(numbers) == sum(x.numel() for x in loaded.models[component].parameters())


@pytest.mark.parametrize(
    ("component", "name", "role", "stem"),
    [
        ("unet", "conv_in.weight", "matrix", "lora_unet_conv_in"),
        ("unet", "conv_in.bias", "bias", "lora_unet_conv_in"),
        ("unet", "conv_norm_out.weight", "norm_weight", "lora_unet_conv_norm_out"),
        ("unet", "conv_norm_out.bias", "norm_bias", "lora_unet_conv_norm_out"),
        (
            "text_encoder",
            "text_model.embeddings.token_embedding.weight",
            "embedding",
            "lora_te_text_model_embeddings_token_embedding",
        ),
        (
            "text_encoder",
            "text_model.encoder.layers.0.mlp.fc1.weight",
            "matrix",
            "lora_te_text_model_encoder_layers_0_mlp_fc1",
        ),
    ],
)
def test_part_follows_the_module(
    loaded: Base, component: str, name: str, role: str, stem: str
) -> None:
    """What an adapter can make of a change, and what kohya calls the module."""
    one = all_of(loaded, component)[name]

    assert (one.role, one.stem) == (role, stem)
    assert one.plain == name.removeprefix("text_model.")


def test_every_role_occurs(loaded: Base) -> None:
    """A UNet has matrices, biases and norms, and nothing of an unknown kind."""
    roles = Counter(one.role for one in all_of(loaded, "unet").values())

    assert set(roles) == {"matrix", "bias", "norm_weight", "norm_bias"}
    assert roles["norm_weight"] == roles["norm_bias"]


def test_vae_is_looked_at_only(loaded: Base) -> None:
    """Each of its parameters once, and none that an adapter carries."""
    found = list(vae_parameters_of(loaded))

    assert [one.name for one in found] == [name for name, _ in loaded.vae.named_parameters()]
    assert {(one.component, one.role, one.stem) for one in found} == {("vae", "other", "")}
