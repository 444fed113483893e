# SPDX-License-Identifier: Apache-2.0
"""What is left over of a component: harmless by name, or a refusal that says what it shows."""

import pytest

from tabard_server.engine.base.files.leftovers import (
    is_bookkeeping,
    is_harmless,
    quoted,
    refuse_left_over,
)
from tabard_server.engine_port.errors import BaseNotLoadable


@pytest.mark.parametrize(
    ("component", "key", "found"),
    [
        ("text_encoder", "embeddings.position_ids", True),
        ("text_encoder", "text_model.embeddings.position_ids", True),
        ("text_encoder", "text_projection", True),
        ("text_encoder_2", "logit_scale", True),
        ("text_encoder", "vision_model.post_layernorm.bias", True),
        ("vae", "loss.discriminator.main.0.weight", True),
        ("vae", "model_ema.decay", True),
        ("unet", "model_ema.decay", False),
        ("unet", "embeddings.position_ids", False),
        ("vae", "decoder.conv_in.scale", False),
        ("text_encoder", "encoder.layers.12.mlp.fc1.weight", False),
    ],
)
def test_harmless_keys_are_known_by_name(component: str, key: str, found: bool) -> None:
    """Each belongs to its component, and to no other."""
    assert is_harmless(key, component=component) is found


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("betas", True),
        ("alphas_cumprod_prev", True),
        ("sqrt_one_minus_alphas_cumprod", True),
        ("posterior_mean_coef1", True),
        ("denoiser.sigmas", True),
        ("model_ema.decay", False),
        ("embedding_manager.x", False),
    ],
)
def test_tables_follow_from_the_configuration(key: str, found: bool) -> None:
    """The tables of a schedule are in nearly every file; averages of a training are told."""
    assert is_bookkeeping(key) is found


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("conv_in.lora_A.weight", "fuse the adapter"),
        ("to_q.base_layer.weight", "fuse the adapter"),
        ("conv_in.scale", "quantised from"),
        ("conv_in.odd", "base_config"),
    ],
)
def test_refusal_says_what_it_shows(key: str, hint: str) -> None:
    """An adapter that was not fused, a scale, and a weight of another model."""
    with pytest.raises(BaseNotLoadable, match="1 key of its unet") as caught:
        refuse_left_over([key], component="unet", source="x")

    assert hint in caught.value.hint and key in str(caught.value)


def test_nothing_left_is_no_refusal() -> None:
    """A component whose every key is read passes."""
    refuse_left_over([], component="unet", source="x")


def test_long_lists_are_cut() -> None:
    """A message quotes the first few keys."""
    assert quoted(["a", "b", "c"]) == "a, b, c"
    assert quoted(f"k{number}" for number in range(9)) == "k0, k1, k2, …"
