# SPDX-License-Identifier: Apache-2.0
"""What the registry is told of a base: classic names, widths, fingerprints of the bytes."""

from pathlib import Path

import pytest

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import classic_name, named_layers, profile_of, read_profile
from tests.bases import make_tiny_base


def test_profile_names_are_classic(tiny_base: Path) -> None:
    """Text encoder layers carry `text_model.`, whatever the installed library calls them."""
    profile = profile_of(str(tiny_base))

    assert profile.family == "sd1"
    assert "text_model.encoder.layers.0.self_attn.q_proj" in profile.modules["text_encoder"]
    assert profile.modules["unet"]["down_blocks.0.attentions.0.proj_in"].kind == "conv2d"


def test_fingerprint_is_of_the_bytes(tiny_base: Path, tmp_path: Path) -> None:
    """The same weights give the same fingerprint; a base of other weights gives another."""
    other = make_tiny_base(tmp_path / "other", seed=1)

    assert profile_of(str(tiny_base)).fingerprint == profile_of(str(tiny_base)).fingerprint
    assert profile_of(str(tiny_base)).fingerprint != profile_of(str(other)).fingerprint


@pytest.mark.oracle
def test_second_encoder_has_classic_names(bases: dict[str, Path]) -> None:
    """Both encoders name their layers alike, whatever the installed library calls them."""
    modules = profile_of(str(bases["sdxl"])).modules["text_encoder_2"]

    assert "text_model.encoder.layers.3.self_attn.q_proj" in modules
    assert "text_projection" in modules
    assert not [name for name in modules if name.startswith("text_model.text_")]


def test_profile_counts_every_layer(tiny_base: Path) -> None:
    """Layers with their widths and kernels, vectors of norms and biases, widths of tokens."""
    base = load_base(str(tiny_base))
    convolution = base.unet.conv_in

    profile = read_profile(base)

    found = profile.modules["unet"]["conv_in"]
    assert (found.inputs, found.outputs) == (convolution.in_channels, convolution.out_channels)
    assert found.kernel == (3, 3)
    assert profile.vectors["unet"]["conv_in.bias"] == convolution.out_channels
    assert "conv_norm_out.weight" in profile.vectors["unet"]
    assert profile.token_widths == {"text_encoder": 32}
    layers = dict(named_layers(base, "unet"))
    assert layers.keys() == profile.modules["unet"].keys()
    assert layers["conv_in"] is convolution


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


def test_precision_leaves_the_fingerprint(tiny_base: Path) -> None:
    """Weights that halves can say are the same base in any dtype; one bit more is another."""
    base = load_base(str(tiny_base))
    base.unet.half()
    halves = read_profile(base).fingerprints["unet"]

    base.unet.float()
    assert read_profile(base).fingerprints["unet"] == halves
    base.unet.conv_in.bias[0] += 1.0
    assert read_profile(base).fingerprints["unet"] != halves
