# SPDX-License-Identifier: Apache-2.0
"""Whole pictures on a toy base: Tabard's are those of diffusers; a stand-in shows what others get.

The stand-in takes stable-diffusion.cpp's words, and draws nothing of its own.
"""

import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tabard_registry import BaseProfile
from tests.bench import full_size
from tests.bench.alternatives import pictures
from tests.bench.alternatives.sd15_base import write_base
from tests.gpu.measure.sizes import TINY

VAE = {
    "block_out_channels": (32, 32, 32, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
}
TEXT = {
    "hidden_size": TINY["cross_attention_dim"],
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
WORN = pictures.WORN


def test_tabard_draws_what_diffusers_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bare and with a trainer's file, to a level of 255; the adapter is seen."""
    write_base(tmp_path / "base", unet=TINY, vae=VAE, text=TEXT)
    scene = pictures.Scene(base=tmp_path / "base", adapter=tmp_path / "style.safetensors", side=64)

    draws, _ = pictures.tabard_draws(scene, folder=tmp_path, write=_write)
    draws |= pictures.diffusers_draws(scene)
    found = pictures.measure(draws, rounds=1)
    pictures.report({"parameters": 1, **found})

    assert set(found["differences"]) == {*draws}
    assert max(found["differences"].values()) <= 1
    bare, worn = (draws[name](2).astype(int) for name in ("Tabard", f"Tabard, {WORN}"))
    assert np.abs(bare - worn).max() > 10
    assert "not here: build it" in capsys.readouterr().out


def test_binary_is_asked_for_the_same_picture(tmp_path: Path) -> None:
    """Steps, size, noise and sampler, and the adapter in the words of its prompt."""
    (tmp_path / "base").mkdir()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "drawn.png")
    binary = tmp_path / "sd-cli"
    binary.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncp {tmp_path}/drawn.png "$8"\n')
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    scene = pictures.Scene(base=tmp_path / "base", adapter=tmp_path / "style.safetensors", side=64)

    draws = pictures.sd_cpp_draws(scene, binary=binary)
    drawn = [draw(3) for draw in draws.values()]

    assert all((one == (1, 2, 3)).all() for one in drawn)
    bare, *worn = (tmp_path / "asked").read_text().splitlines()
    for words in (bare, *worn):
        assert "--steps 3" in words and "-W 64 -H 64" in words
        assert "--rng cpu --sampling-method euler --scheduler discrete" in words
    assert "<lora:" not in bare
    assert [one.rsplit(" ", 1)[1] for one in worn] == ["at_runtime", "immediately"]
    assert all(f"a<lora:style:{pictures.WEIGHT}>" in one for one in worn)


def _write(file: Path, profile: BaseProfile) -> None:
    full_size.write_kohya(file, profile=profile, deviation=0.1)
