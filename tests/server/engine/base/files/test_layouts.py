# SPDX-License-Identifier: Apache-2.0
"""Which family a file is of, by its keys, and where its components begin."""

import pytest

from tabard_server.engine.base.files.layouts import find_layout
from tabard_server.engine_port.errors import BaseNotLoadable

SD3, FLUX = "joint_blocks.0.x_block.attn.qkv.weight", "double_blocks.0.img_attn.qkv.weight"
UNET = "model.diffusion_model.input_blocks.0.0.weight"


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize(("key", "family"), [(SD3, "sd3"), (FLUX, "flux")])
def test_transformer_is_known(key: str, family: str, prefix: str) -> None:
    """Behind the prefix of whole files or alone; a file need hold nothing else."""
    found = find_layout([prefix + key], source="x")

    assert (found.family, found.denoiser, found.is_transformer) == (family, prefix, True)
    assert found.beside["vae"] == ("first_stage_model.", "vae.")


@pytest.mark.parametrize(
    ("key", "family"),
    [
        ("cond_stage_model.transformer.x", "sd1"),
        ("cond_stage_model.model.x", "sd2"),
        ("conditioner.embedders.1.model.x", "sdxl"),
    ],
)
def test_text_encoders_tell_unets_apart(key: str, family: str) -> None:
    """A UNet is nothing without them."""
    found = find_layout([UNET, key], source="x")

    assert (found.family, found.is_transformer) == (family, False)
    assert found.beside["vae"] == ("first_stage_model.",)
    with pytest.raises(BaseNotLoadable, match="no text encoder"):
        find_layout([UNET], source="x")


def test_nothing_known_is_refused() -> None:
    """Both kinds of network are named."""
    with pytest.raises(BaseNotLoadable, match=r"no UNet .* no transformer"):
        find_layout(["x"], source="x")
