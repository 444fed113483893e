# SPDX-License-Identifier: Apache-2.0
"""What the registry is told of a base: classic names, widths, fingerprints of the bytes."""

from pathlib import Path

import pytest

from tabard_server.engine.base.profile import profile_of
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
