# SPDX-License-Identifier: Apache-2.0
"""Every weight of every family at full size lies where diffusers' own converter finds it."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)

from tabard_server.engine.base.files.checkpoint_keys import (
    UNET,
    VAE,
    clip_places,
    open_clip_places,
    transformer_places,
    unet_places,
    vae_places,
)
from tests.golden.full_size import transformers
from tests.golden.full_size.models import FAMILIES, build, recipe


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_unet_lies_where_diffusers_finds_it(family: str) -> None:
    """Converting a file whose every tensor is its own key gives the names back."""
    places = unet_places(build(family)["unet"])
    keys = [place.keys[0] for place in places.values()]
    config = {"class_embed_type": None, **recipe(family)["unet"]}

    converted = convert_ldm_unet_checkpoint({key: key for key in keys}, config)

    assert converted == {name: place.keys[0] for name, place in places.items()}
    assert all(key.startswith(UNET) for key in keys)
    assert len(set(keys)) == len(keys)


def test_vae_lies_where_diffusers_finds_it() -> None:
    """The VAE of every family, at full size."""
    config: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "latent_channels": 4,
    }
    with torch.device("meta"):
        vae = AutoencoderKL(**config)
    places = vae_places(vae)
    checkpoint = {
        place.keys[0]: torch.tensor(number) for number, place in enumerate(places.values())
    }

    converted = convert_ldm_vae_checkpoint(_at_least_conv(checkpoint), config)

    assert [int(converted[name].flatten()[0]) for name in places] == list(range(len(places)))
    assert all(key.startswith(VAE) for key in checkpoint)


@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_open_clip_lies_where_diffusers_finds_it(family: str) -> None:
    """Thirds of a fused projection, and a projection that is turned around."""
    component = "text_encoder" if family == "sd2" else "text_encoder_2"
    model = build(family)[component]
    width = model.config.hidden_size
    places = open_clip_places(model, prefix="p.")
    checkpoint = {
        key: torch.arange(float(3 * width)) if key.endswith("in_proj_bias") else torch.zeros(1)
        for place in places.values()
        for key in place.keys
    }
    numbers = {key: number for number, key in enumerate(checkpoint)}
    for key, number in numbers.items():
        if key.endswith(("in_proj_weight", "text_projection")):
            rows = 3 * width if key.endswith("in_proj_weight") else width
            checkpoint[key] = torch.full((rows, 1), float(number))
        elif not key.endswith("in_proj_bias"):
            checkpoint[key] = torch.full((1,), float(number))

    converted = convert_open_clip_checkpoint(model, checkpoint, prefix="p.")

    plain = {name.removeprefix("text_model."): value for name, value in converted.items()}
    for name, place in places.items():
        (key,) = place.keys
        if place.spans and key.endswith("bias"):
            assert (float(plain[name][0]), place.rows) == (place.spans[0][0], 3 * width), name
        else:
            assert float(plain[name].flatten()[0]) == numbers[key], name


def test_clip_may_lack_its_level() -> None:
    """NovelAI's files leave `text_model.` out; both are places, the usual one first."""
    places = clip_places(build("sd1")["text_encoder"], prefix="p.")

    name = "encoder.layers.11.mlp.fc1.bias"
    assert places[name].keys == (f"p.text_model.{name}", f"p.{name}")
    assert len(places) == 196


def _at_least_conv(checkpoint: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give what the converter flattens the four dimensions that it expects."""
    return {
        key: tensor.reshape(1, 1, 1, 1) if ".attn_1." in key and key.endswith("weight") else tensor
        for key, tensor in checkpoint.items()
    }


@pytest.mark.parametrize("model", transformers.MODELS)
def test_transformer_lies_where_diffusers_finds_it(model: str) -> None:
    """Every weight at full size: its key, and of which rows it is."""
    transformer = transformers.build(model)["transformer"]
    pieces = transformers.original_pieces(model, transformer=transformer)

    family = transformers.family_of(model)
    places = transformer_places(transformer, family=family, prefix="p.")

    assert places.keys() == transformer.state_dict().keys()
    places.pop("pos_embed.pos_embed", None)
    for name, place in places.items():
        module, _, kind = name.rpartition(".")
        original, spans = pieces[module]
        theirs = "scale" if original.endswith(("query_norm", "key_norm")) else kind
        assert place.keys == (f"p.{original}.{theirs}",), name
        whole = ((0, place.rows),)
        assert [list(span) for span in place.spans or whole] == spans, name
