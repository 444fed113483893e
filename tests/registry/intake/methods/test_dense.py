# SPDX-License-Identifier: Apache-2.0
"""What is no low-rank pair: taken whole and kept as it is written, or refused by name."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import (
    BaseProfile,
    Canonical,
    Checked,
    IntakeLimits,
    Manifest,
    ReleaseDraft,
    Version,
    check,
    read_canonical,
    write_canonical,
)
from tabard_registry.content.storing import assemble_manifest
from tabard_registry.release.manifest import ChangeTarget
from tests.registry.fakes import NAME, Tensors, write
from tests.registry.intake.dense_files import CONV, FC, NORM, PROFILE, checked, lora, scalar, some
from tests.registry.intake.lora_files import reasons


def glora(*, is_old: bool = False) -> Tensors:
    """A GLoRA of rank 2, as LyCORIS writes it or as its first version did."""
    parts = {"a1": some(12, 2), "a2": some(2, 12), "b1": some(16, 2), "b2": some(2, 12)}
    swapped = {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}
    return {
        f"{FC}.alpha": scalar(1),
        **{f"{FC}.{swapped[k] if is_old else k}.weight": v for k, v in parts.items()},
    }


def kept(result: Checked, folder: Path) -> tuple[Manifest, Canonical]:
    """The manifest and the canonical file of accepted files, written and read again."""
    path = folder / "canonical"
    blob = write_canonical(result, path)
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))
    manifest = assemble_manifest(draft, checked=result, canonical=blob)
    again = Manifest.from_bytes(manifest.to_bytes())
    assert again == manifest and again.digest == manifest.digest
    return again, read_canonical(path, again)


TAKEN: dict[str, tuple[Tensors, dict[str, tuple[str, float, tuple[str, ...]]]]] = {
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
    "bias beside a LoRA": (
        lora(diff_b=some(16)),
        {"unet:mid_block.fc.bias": ("dense", 1.0, ("diff",))},
    ),
    "OFT": (
        {f"{FC}.oft_blocks": some(4, 4, 4), f"{FC}.alpha": scalar(0, "int64")},
        {"unet:mid_block.fc.weight": ("oft", 1.0, ("blocks",))},
    ),
    "OFT of a kernel, rescaled": (
        {f"{CONV}.oft_blocks": some(4, 4, 4), f"{CONV}.rescale": some(16, 1, 1, 1)},
        {"unet:down_blocks.0.resnets.0.conv1.weight": ("oft", 1.0, ("blocks", "rescale"))},
    ),
    "BOFT": (
        {f"{FC}.oft_blocks": some(3, 4, 4, 4)},
        {"unet:mid_block.fc.weight": ("boft", 1.0, ("blocks",))},
    ),
    "IA3": (
        {f"{FC}.weight": some(16), f"{FC}.on_input": scalar(0, "int64")},
        {"unet:mid_block.fc.weight": ("ia3", 1.0, ("weight",))},
    ),
    "IA3 of the inputs of a kernel": (
        {f"{CONV}.weight": some(1, 8, 1, 1), f"{CONV}.on_input": scalar(1, "int64")},
        {"unet:down_blocks.0.resnets.0.conv1.weight": ("ia3", 1.0, ("weight",))},
    ),
    "GLoRA": (glora(), {"unet:mid_block.fc.weight": ("glora", 0.5, ("a1", "a2", "b1", "b2"))}),
    "old GLoRA": (
        glora(is_old=True),
        {"unet:mid_block.fc.weight": ("glora", 0.5, ("a1", "a2", "b1", "b2"))},
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_change_is_taken_whole(name: str, tmp_path: Path) -> None:
    """Every tensor is applied, the manifest names every parameter, the bytes are the writer's."""
    tensors, expected = TAKEN[name]

    result = checked(tmp_path, tensors)
    manifest, canonical = kept(result, tmp_path)

    assert reasons(result.report) == []
    assert result.report.tensors_applied == len(tensors) == result.report.tensor_count
    assert {
        f"{x.component}:{x.parameter}": (x.method, x.scale, x.parts) for x in manifest.changes
    } == expected
    assert manifest.is_merged_only and result.report.mode == "merged"
    written = sorted(np.sort(found, axis=None).tolist() for found in tensors.values() if found.ndim)
    parts = [part for change in canonical.changes for part in change.parts.values()]
    parts += [part for layer in canonical.layers for part in (layer.down, layer.up)]
    assert sorted(np.sort(part, axis=None).tolist() for part in parts) == written
    assert result.report.resident_bytes == sum(part.nbytes for part in parts)


def test_old_glora_is_turned_round(tmp_path: Path) -> None:
    """The first LyCORIS wrote the factors of each pair the other way round."""
    _, new = kept(checked(tmp_path, glora()), tmp_path)
    (tmp_path / "canonical").unlink()
    _, old = kept(checked(tmp_path, glora(is_old=True)), tmp_path)

    for part, found in new.changes[0].parts.items():
        np.testing.assert_array_equal(old.changes[0].parts[part], found)


@pytest.mark.parametrize(
    ("tensors", "options"),
    [
        ({f"{FC}.oft_blocks": some(4, 4, 4), f"{FC}.alpha": scalar(0.5)}, {"constraint": 0.5}),
        ({f"{FC}.weight": some(12), f"{FC}.on_input": scalar(1, "int64")}, {"on_input": True}),
    ],
)
def test_options_are_kept(tensors: Tensors, options: Mapping[str, object], tmp_path: Path) -> None:
    """What a method must know beside its arrays is in the manifest."""
    manifest, canonical = kept(checked(tmp_path, tensors), tmp_path)

    assert dict(manifest.changes[0].options) == options
    assert dict(canonical.changes[0].options) == options


HEAVY: dict[str, tuple[Tensors, str, float, set[str]]] = {
    "LoRA": (lora(), "lora", 0.5, {"down", "up"}),
    "DoRA": (lora(dora_scale=some(16, 1)), "lora", 0.5, {"down", "up", "magnitude"}),
    "LoHa": (
        {
            **{f"{FC}.hada_w{n}_a": some(16, 2) for n in (1, 2)},
            **{f"{FC}.hada_w{n}_b": some(2, 12) for n in (1, 2)},
            f"{FC}.alpha": scalar(1),
        },
        "hadamard",
        0.5,
        {"w1_a", "w1_b", "w2_a", "w2_b"},
    ),
    "LoKr of two whole halves": (
        {f"{FC}.lokr_w1": some(4, 4), f"{FC}.lokr_w2": some(4, 3), f"{FC}.alpha": scalar(9)},
        "kronecker",
        1.0,
        {"w1", "w2"},
    ),
    "DoKr with a core": (
        {
            f"{CONV}.lokr_w1": some(4, 2),
            f"{CONV}.lokr_w2_a": some(2, 4),
            f"{CONV}.lokr_w2_b": some(2, 4),
            f"{CONV}.lokr_t2": some(2, 2, 3, 3),
            f"{CONV}.alpha": scalar(1),
            f"{CONV}.dora_scale": some(1, 8, 1, 1),
        },
        "kronecker",
        0.5,
        {"w1", "w2_a", "w2_b", "t2", "magnitude"},
    ),
}


@pytest.mark.parametrize("name", HEAVY)
def test_layer_beyond_slots_is_kept_as_written(name: str, tmp_path: Path) -> None:
    """A rank above what slots take is no refusal: its own tensors are worn in a merged copy."""
    tensors, method, scale, parts = HEAVY[name]

    result = checked(tmp_path, tensors, limits=IntakeLimits(rank_max=3))
    manifest, _ = kept(result, tmp_path)

    (change,) = manifest.changes
    assert (change.method, change.scale, set(change.parts)) == (method, scale, parts)
    assert manifest.targets == () and result.report.mode == "merged"
    assert checked(tmp_path, tensors).report.mode == "rows"


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "difference of another shape": ({f"{FC}.diff": some(16, 11)}, "SHAPE_MISMATCH", "[16, 12]"),
    "difference with an alpha": (
        {f"{FC}.diff": some(16, 12), f"{FC}.alpha": scalar(1)},
        "BAD_ALPHA",
        "beside a full difference",
    ),
    "difference beside a LoRA": (lora(diff=some(16, 12)), "INCOMPLETE_PAIR", "both low-rank and"),
    "bias that is not there": (
        {"lora_unet_down_blocks_0_attentions_0_proj_in.diff_b": some(8)},
        "SHAPE_MISMATCH",
        "has no bias in this base",
    ),
    "two biases": (lora(diff_b=some(16), b_norm=some(16)), "DUPLICATE_TARGET", "changed twice"),
    "LoRA of a norm": (
        {f"{NORM}.lora_down.weight": some(2, 8), f"{NORM}.lora_up.weight": some(8, 2)},
        "SHAPE_MISMATCH",
        "is a norm",
    ),
    "OFT of another width": ({f"{FC}.oft_blocks": some(3, 4, 4)}, "SHAPE_MISMATCH", "12 outputs"),
    "OFT of no squares": ({f"{FC}.oft_blocks": some(4, 4, 3)}, "INCOMPLETE_PAIR", "[4, 4, 3]"),
    "OFT that must not turn": (
        {f"{FC}.oft_blocks": some(4, 4, 4), f"{FC}.alpha": scalar(-1)},
        "BAD_ALPHA",
        "at most -1",
    ),
    "OFT with a magnitude": (
        {f"{FC}.oft_blocks": some(4, 4, 4), f"{FC}.dora_scale": some(16, 1)},
        "INCOMPLETE_PAIR",
        "magnitude",
    ),
    "rescale alone": ({f"{FC}.rescale": some(16, 1)}, "INCOMPLETE_PAIR", "no oft_blocks"),
    "BOFT of too many stages": (
        {f"{FC}.oft_blocks": some(4, 4, 4, 4)},
        "INCOMPLETE_PAIR",
        "4 butterfly stages",
    ),
    "IA3 of the other side": (
        {f"{FC}.weight": some(16), f"{FC}.on_input": scalar(1, "int64")},
        "SHAPE_MISMATCH",
        "scales 16 channels, here 12",
    ),
    "IA3 of no side": ({f"{FC}.weight": some(16)}, "INCOMPLETE_PAIR", "no on_input"),
    "half a GLoRA": (
        {k: v for k, v in glora().items() if "b2" not in k},
        "INCOMPLETE_PAIR",
        "no b2",
    ),
    "GLoRA of two ranks": (
        glora() | {f"{FC}.b1.weight": some(16, 3)},
        "SHAPE_MISMATCH",
        "b1 [16, 3]",
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

    report = checked(tmp_path, tensors).report

    assert reasons(report) == [reason] and not report.accepted
    assert detail in report.problems[0].message and report.problems[0].remedy


def test_base_of_old_profile_has_no_biases(tmp_path: Path) -> None:
    """A profile that does not say its biases takes none: nothing is applied on trust."""
    document = json.loads(PROFILE.to_json())
    del document["vectors"]
    older = BaseProfile.from_json(json.dumps(document))

    report = checked(tmp_path, {f"{FC}.diff_b": some(16)}, profile=older).report

    assert reasons(report) == ["SHAPE_MISMATCH"]
    assert BaseProfile.from_json(PROFILE.to_json()) == PROFILE
    assert older.fingerprint == PROFILE.fingerprint


def test_plain_release_keeps_its_bytes(tmp_path: Path) -> None:
    """A manifest without changes says nothing of them, so that its digest is what it was."""
    manifest, _ = kept(checked(tmp_path, lora()), tmp_path)

    assert b"changes" not in manifest.to_bytes()
    assert not manifest.is_merged_only


def test_impossible_change_target_is_refused() -> None:
    """A manifest cannot name a method that is not known, or a number that is none."""
    good = {"component": "unet", "parameter": "x.weight", "scale": 1.0, "parts": ("diff",)}
    ChangeTarget(**good, method="dense")  # type: ignore[arg-type]

    for bad in ({"method": "magic"}, {"method": "oft", "options": {"constraint": float("nan")}}):
        with pytest.raises(Exception, match=r"x\.weight"):
            ChangeTarget(**(good | bad))  # type: ignore[arg-type]


def test_two_files_cannot_change_one_weight(tmp_path: Path) -> None:
    """A pair in one file and a difference in another are two changes of one weight."""
    files = [
        write(tmp_path / "a.safetensors", lora()),
        write(tmp_path / "b.safetensors", {f"{FC}.diff": some(16, 12)}),
    ]

    assert reasons(check(files, profile=PROFILE).report) == ["DUPLICATE_TARGET"]
