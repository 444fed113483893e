# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import Registry
from tabard_registry.errors import PreconditionFailed
from tabard_registry.export.export import export_release
from tests.registry.export.round_trips import PROFILE, RNG, again, canonical_of, export, put
from tests.registry.fakes import write

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
