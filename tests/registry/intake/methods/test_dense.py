# SPDX-License-Identifier: Apache-2.0
"""Differences of weights, biases and norms: taken whole and kept as written, or refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import BaseProfile
from tests.registry.fakes import Tensors
from tests.registry.intake.change_files import Expected, assert_taken_whole, kept
from tests.registry.intake.dense_files import CONV, FC, NORM, PROFILE, checked, lora, scalar, some
from tests.registry.intake.lora_files import reasons
from tests.registry.intake.methods.low_rank_files import assert_refused

TAKEN: dict[str, tuple[Tensors, Expected]] = {
    "full": (
        {f"{FC}.diff": some(16, 12), f"{FC}.diff_b": some(16)},
        {
            "unet:mid_block.fc.weight": ("dense", 1.0, ("diff",)),
            "unet:mid_block.fc.bias": ("dense", 1.0, ("diff",)),
        },
    ),
    "full of a kernel": (
        {f"{CONV}.diff": some(16, 8, 3, 3)},
        {"unet:down_blocks.0.resnets.0.conv1.weight": ("dense", 1.0, ("diff",))},
    ),
    "norm": (
        {f"{NORM}.w_norm": some(8), f"{NORM}.b_norm": some(8)},
        {
            "unet:down_blocks.0.resnets.0.norm1.weight": ("dense", 1.0, ("diff",)),
            "unet:down_blocks.0.resnets.0.norm1.bias": ("dense", 1.0, ("diff",)),
        },
    ),
    "norm by its old name": (
        {"lora_unet_input_blocks_1_0_in_layers_0.w_norm": some(8)},
        {"unet:down_blocks.0.resnets.0.norm1.weight": ("dense", 1.0, ("diff",))},
    ),
    "last norm by its old name": (
        {"lora_unet_out_0.diff": some(8), "lora_unet_out_0.diff_b": some(8)},
        {
            "unet:conv_norm_out.weight": ("dense", 1.0, ("diff",)),
            "unet:conv_norm_out.bias": ("dense", 1.0, ("diff",)),
        },
    ),
    "norm of a text encoder": (
        {"lora_te_text_model_final_layer_norm.w_norm": some(12)},
        {"text_encoder:text_model.final_layer_norm.weight": ("dense", 1.0, ("diff",))},
    ),
    "full rank of ai-toolkit": (
        {f"{FC}.lora_down.weight": some(16, 12), f"{CONV}.lora_down.weight": some(16, 8, 3, 3)},
        {
            "unet:mid_block.fc.weight": ("dense", 1.0, ("diff",)),
            "unet:down_blocks.0.resnets.0.conv1.weight": ("dense", 1.0, ("diff",)),
        },
    ),
    "full rank in diffusers' names": (
        {"unet.mid_block.fc.lora_A.weight": some(16, 12)},
        {"unet:mid_block.fc.weight": ("dense", 1.0, ("diff",))},
    ),
    "bias of the up factor": (
        lora(**{"lora_up.bias": some(16)}),
        {"unet:mid_block.fc.bias": ("dense", 0.5, ("diff",))},
    ),
    "bias of the up factor in diffusers' names": (
        {
            "unet.mid_block.fc.lora.down.weight": some(4, 12),
            "unet.mid_block.fc.lora.up.weight": some(16, 4),
            "unet.mid_block.fc.lora.up.bias": some(16),
        },
        {"unet:mid_block.fc.bias": ("dense", 1.0, ("diff",))},
    ),
    "bias beside a LoRA": (
        lora(diff_b=some(16)),
        {"unet:mid_block.fc.bias": ("dense", 1.0, ("diff",))},
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_change_is_taken_whole(name: str, tmp_path: Path) -> None:
    """Every tensor is applied, the manifest names every parameter, the bytes are the writer's."""
    tensors, expected = TAKEN[name]

    assert_taken_whole(tensors, expected, folder=tmp_path)


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "difference of another shape": ({f"{FC}.diff": some(16, 11)}, "SHAPE_MISMATCH", "[16, 12]"),
    "difference with an alpha": (
        {f"{FC}.diff": some(16, 12), f"{FC}.alpha": scalar(1)},
        "BAD_ALPHA",
        "beside a full difference",
    ),
    "full rank with an alpha of who knows what": (
        {f"{FC}.lora_down.weight": some(16, 12), f"{FC}.alpha": scalar(1)},
        "RANK_UNKNOWN",
        "no ss_network_dim in the header",
    ),
    "down factor alone": ({f"{FC}.lora_down.weight": some(4, 12)}, "INCOMPLETE_PAIR", "no up"),
    "one down factor alone": (
        lora() | {f"{CONV}.lora_down.weight": some(16, 8, 3, 3)},
        "INCOMPLETE_PAIR",
        "no up factor",
    ),
    "difference beside a LoRA": (lora(diff=some(16, 12)), "INCOMPLETE_PAIR", "both low-rank and"),
    "bias that is not there": (
        {"lora_unet_down_blocks_0_attentions_0_proj_in.diff_b": some(8)},
        "NO_BIAS",
        "biases of layers that have none in this base",
    ),
    "two biases": (lora(diff_b=some(16), b_norm=some(16)), "DUPLICATE_TARGET", "changed twice"),
    "LoRA of a norm": (
        {f"{NORM}.lora_down.weight": some(2, 8), f"{NORM}.lora_up.weight": some(8, 2)},
        "SHAPE_MISMATCH",
        "is a norm",
    ),
    "change that is not finite": (
        {f"{FC}.diff": some(16, 12) * np.inf},
        "NOT_FINITE",
        "NaN or infinity",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_change_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason and a remedy."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(checked(tmp_path, tensors).report, reason, detail)


def test_header_says_what_alpha_is_divided_by(tmp_path: Path) -> None:
    """A full rank with an alpha is worn at alpha over the rank that the header names."""
    tensors = {f"{FC}.lora_down.weight": some(16, 12), f"{FC}.alpha": scalar(1)}

    result = checked(tmp_path, tensors, metadata={"ss_network_dim": "4"})

    assert [change.scale for change in result.changes] == [0.25]


def test_base_of_old_profile_has_no_biases(tmp_path: Path) -> None:
    """A profile that does not say its biases takes none: nothing is applied on trust."""
    document = json.loads(PROFILE.to_json())
    del document["vectors"]
    older = BaseProfile.from_json(json.dumps(document))

    report = checked(tmp_path, {f"{FC}.diff_b": some(16)}, profile=older).report

    assert reasons(report) == ["NO_BIAS"]
    assert BaseProfile.from_json(PROFILE.to_json()) == PROFILE
    assert older.fingerprint == PROFILE.fingerprint


def test_plain_release_keeps_its_bytes(tmp_path: Path) -> None:
    """A manifest without changes says nothing of them, so that its digest is what it was."""
    manifest, _ = kept(checked(tmp_path, lora()), tmp_path)

    assert b"changes" not in manifest.to_bytes()
    assert not manifest.is_merged_only
