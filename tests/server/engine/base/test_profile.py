# SPDX-License-Identifier: Apache-2.0
"""What the registry is told of a base: classic names, widths, fingerprints of the bytes."""

from pathlib import Path

import pytest

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import named_layers, profile_of, read_profile
from tests.bases import make_tiny_base


def test_profile_says_how_it_is_walked(tiny_base: Path, tmp_path: Path) -> None:
    """What adapters say of their training is compared with it."""
    other = make_tiny_base(tmp_path / "other", is_zero_snr=True)

    plain, zero = profile_of(str(tiny_base)), profile_of(str(other))

    assert (plain.prediction, plain.is_zero_snr) == ("epsilon", False)
    assert (zero.prediction, zero.is_zero_snr) == ("v_prediction", True)


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
    convolution = base.network.module.conv_in

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


def test_precision_leaves_the_fingerprint(tiny_base: Path) -> None:
    """Weights that halves can say are the same base in any dtype; one bit more is another."""
    base = load_base(str(tiny_base))
    base.network.module.half()
    halves = read_profile(base).fingerprints["unet"]

    base.network.module.float()
    assert read_profile(base).fingerprints["unet"] == halves
    base.network.module.conv_in.bias[0] += 1.0
    assert read_profile(base).fingerprints["unet"] != halves
