# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import Registry
from tabard_registry.errors import PreconditionFailed
from tabard_registry.export.export import export_release
from tests.registry.export.round_trips import (
    PROFILE,
    RNG,
    again,
    assert_same,
    canonical_of,
    export,
    mixed_lora,
    put,
)
from tests.registry.fakes import Tensors, write

WIDE = dataclasses.replace(
    PROFILE,
    vectors={
        "unet": {
            "mid_block.attentions.0.proj_in.bias": 16,
            "down_blocks.0.attentions.0.norm.weight": 8,
            "down_blocks.0.attentions.0.norm.bias": 8,
        }
    },
)


HEAVY: dict[str, dict[str, tuple[int, ...]]] = {
    "hadamard": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.hada_w1_a": (16, 24),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.hada_w1_b": (24, 16),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.hada_w2_a": (16, 24),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.hada_w2_b": (24, 16),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.alpha": (),
    },
    "dense": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.diff": (16, 16),
        "mid_block_attentions_0_proj_in.diff_b": (16,),
        "down_blocks_0_resnets_0_conv1.diff": (8, 8, 3, 3),
        "down_blocks_0_attentions_0_norm.w_norm": (8,),
        "down_blocks_0_attentions_0_norm.b_norm": (8,),
    },
    "oft": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.oft_blocks": (4, 4, 4),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.alpha": (),
    },
    "boft": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.oft_blocks": (2, 4, 4, 4),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.alpha": (),
    },
    "ia3": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.weight": (1, 16),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.on_input": (),
    },
}


TURNED = "mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
DOTTED = "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q"
ROTATIONS: dict[str, Tensors] = {
    "linear": {f"lora_unet_{TURNED}.oft_R.weight": RNG.random((4, 6)).astype("float32")},
    "scaled": {
        f"lora_unet_{TURNED}.oft_R.weight": RNG.random((4, 6)).astype("float16"),
        f"lora_unet_{TURNED}.oft_R.scaled_oft": np.ones((), "bool"),
    },
    "shared": {f"lora_unet_{TURNED}.oft_R.weight": RNG.random((1, 6)).astype("float32")},
    "point": {
        "lora_unet_mid_block_attentions_0_proj_in.oft_R.weight": RNG.random((4, 6)).astype("f4")
    },
    "kernel": {
        "lora_unet_down_blocks_0_resnets_0_conv1.oft_R.weight": RNG.random((18, 6)).astype("f4")
    },
    "kohya": {
        f"oft_unet_{TURNED}.oft_blocks": RNG.random((4, 4, 4)).astype("float32"),
        f"oft_unet_{TURNED}.alpha": np.full((), 1e-3, "float32"),
    },
    "comfyui": {
        f"{DOTTED}.oft_blocks": RNG.random((4, 4, 4)).astype("float32"),
        f"{DOTTED}.alpha": np.full((), 0.3, "float32"),
    },
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_rotation_reads_back(name: str, tmp_path: Path, registry: Registry) -> None:
    """Turned inputs come back as OneTrainer writes them, turned outputs as LyCORIS does."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", ROTATIONS[name]), profile=WIDE)

    file = export(registry, release, "kohya", tmp_path / "out")

    (mine,) = again(file, tmp_path, profile=WIDE).changes
    (theirs,) = canonical_of(registry, release).changes
    assert (mine.parameter, dict(mine.options)) == (theirs.parameter, dict(theirs.options))
    assert np.array_equal(mine.parts["blocks"], theirs.parts["blocks"])


PEFT = "base_model.model.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
OFT_CONFIG = {"peft_type": "OFT", "use_cayley_neumann": False}
ONLY_PEFT: dict[str, tuple[Tensors, dict[str, object]]] = {
    "exact": ({f"{PEFT}.oft_R.weight": RNG.random((4, 6)).astype("float32")}, OFT_CONFIG),
    "butterfly": (
        {
            f"{PEFT}.boft_R": RNG.random((1, 4, 4, 4)).astype("float32"),
            f"{PEFT}.boft_s": RNG.random((16, 1)).astype("float32"),
        },
        {"peft_type": "BOFT"},
    ),
}


@pytest.mark.parametrize("name", ONLY_PEFT)
def test_rotation_of_peft_alone_is_refused(name: str, tmp_path: Path, registry: Registry) -> None:
    """LyCORIS would turn outputs by such numbers: they are never written as its own."""
    tensors, config = ONLY_PEFT[name]
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(config))
    release, _ = put(registry, write(tmp_path / "x.safetensors", tensors), path)

    with pytest.raises(PreconditionFailed, match="as only PEFT turns them"):
        export_release(registry, release, style="kohya", folder=tmp_path)


def test_bundled_words_read_back(tmp_path: Path, registry: Registry) -> None:
    """Both halves of a release are one file again; diffusers has no place for the words."""
    layers = mixed_lora()
    words = {
        f"bundle_emb.{word}.clip_l": RNG.standard_normal((count, 12)).astype("float32")
        for word, count in (("<ink>", 2), ("mark.x", 1))
    }
    release, _ = put(registry, write(tmp_path / "x.safetensors", {**layers, **words}))

    file = export(registry, release, "kohya", tmp_path / "out")

    other = Registry.open(str(tmp_path / "again"))
    found, _ = put(other, file.path)
    assert_same(canonical_of(other, found), canonical_of(registry, release))
    assert found.tokens == release.tokens and len(found.tokens) == 2
    with pytest.raises(PreconditionFailed, match="teaches '<ink>' beside its layers"):
        export_release(registry, release, style="diffusers", folder=tmp_path)


@pytest.mark.parametrize("method", HEAVY)
def test_what_only_merges_reads_back(method: str, tmp_path: Path, registry: Registry) -> None:
    """Changes that are not low-rank have keys in LyCORIS' layout, and none in diffusers'."""
    tensors = {
        f"lora_unet_{key}": np.asarray(RNG.random(shape), dtype="float32")
        for key, shape in HEAVY[method].items()
    }
    flags = [key for key in tensors if key.endswith("on_input")]
    tensors |= {key: np.asarray(1, dtype="int64") for key in flags}
    release, _ = put(registry, write(tmp_path / "x.safetensors", tensors), profile=WIDE)

    file = export(registry, release, "kohya", tmp_path / "out")

    found = again(file, tmp_path, profile=WIDE).changes
    wanted = canonical_of(registry, release).changes
    assert len(found) == len(wanted) > 0
    for mine, theirs in zip(found, wanted, strict=True):
        assert (mine.parameter, mine.method, mine.scale) == (
            theirs.parameter,
            theirs.method,
            theirs.scale,
        )
        assert (mine.method, dict(mine.options)) == (method, dict(theirs.options))
        assert mine.parts.keys() == theirs.parts.keys()
        assert all(np.array_equal(mine.parts[k], theirs.parts[k]) for k in mine.parts)
    with pytest.raises(PreconditionFailed, match="not low-rank") as refused:
        export_release(registry, release, style="diffusers", folder=tmp_path)
    assert method in str(refused.value)
