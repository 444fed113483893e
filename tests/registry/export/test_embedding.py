# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import pytest

from tabard_registry import Registry
from tests.registry.export.round_trips import (
    PROFILE,
    RNG,
    again,
    assert_same,
    canonical_of,
    export,
    put,
)
from tests.registry.fakes import write


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
def test_embedding_reads_back(style: str, tmp_path: Path, registry: Registry) -> None:
    """The token is the key, whatever the file was called before."""
    vectors = RNG.standard_normal((2, 12)).astype("float32")
    release, _ = put(registry, write(tmp_path / "x.safetensors", {"<ink>": vectors}))

    file = export(registry, release, style, tmp_path / "out")

    assert_same(again(file, tmp_path), canonical_of(registry, release))


def test_pair_reads_back(tmp_path: Path, registry: Registry) -> None:
    """An SDXL embedding keeps its token in the header."""
    modules = {**PROFILE.modules, "text_encoder_2": PROFILE.modules["text_encoder"]}
    widths = {"text_encoder": 12, "text_encoder_2": 20}
    large = dataclasses.replace(PROFILE, family="sdxl", modules=modules, token_widths=widths)
    pair = {
        k: RNG.standard_normal((2, w)).astype("float32")
        for k, w in (("clip_l", 12), ("clip_g", 20))
    }
    path = write(tmp_path / "x.safetensors", pair, metadata={"modelspec.trigger_phrase": "<ink>"})
    release, _ = put(registry, path, profile=large)

    file = export(registry, release, "diffusers", tmp_path / "out")

    assert release.trigger_words == ("<ink>",)
    assert_same(again(file, tmp_path, profile=large), canonical_of(registry, release))
