# SPDX-License-Identifier: Apache-2.0
"""LoCon, DoRA, LoHa and LoKr: what is taken, at which rank, and what is refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from tabard_registry import (
    BaseProfile,
    Checked,
    IntakeLimits,
    Manifest,
    ModuleShape,
    check,
    sha256_bytes,
    write_canonical,
)
from tabard_registry.content.storing import assemble_manifest
from tabard_registry.intake.methods.loha import Loha
from tabard_registry.intake.methods.lokr import Lokr
from tabard_registry.refs.semver import Version
from tabard_registry.release.release import ReleaseDraft
from tests.registry.fakes import NAME, Tensors, linear, write
from tests.registry.intake.lora_files import reasons

CONV = "lora_unet_down_blocks_0_downsamplers_0_conv"
LINEAR = "lora_unet_mid_block_fc"
PROFILE = BaseProfile(
    family="sd1",
    fingerprints={"unet": str(sha256_bytes(b"unet"))},
    modules={
        "unet": {
            "down_blocks.0.attentions.0.proj_in": linear(8, 8),
            "down_blocks.0.downsamplers.0.conv": ModuleShape(
                kind="conv2d", inputs=8, outputs=16, kernel=(3, 3)
            ),
            "mid_block.fc": linear(12, 16),
        }
    },
    token_widths={},
)


def ones(*shape: int, dtype: str = "float32") -> np.ndarray:
    """A tensor of ones."""
    return np.ones(shape, dtype)


def locon(stem: str = CONV, **more: np.ndarray) -> Tensors:
    """A LoCon of rank 2 on the convolution."""
    parts = {"lora_down.weight": ones(2, 8, 3, 3), "lora_up.weight": ones(16, 2, 1, 1), **more}
    return {f"{stem}.{part}": value for part, value in parts.items()}


def lora(**more: np.ndarray) -> Tensors:
    """A LoRA of rank 2 on the linear layer."""
    parts = {"lora_down.weight": ones(2, 12), "lora_up.weight": ones(16, 2), **more}
    return {f"{LINEAR}.{part}": value for part, value in parts.items()}


def loha(rank: int = 2, **more: np.ndarray) -> Tensors:
    """A LoHa on the linear layer."""
    parts = {
        f"hada_w{n}_{side}": ones(16, rank) if side == "a" else ones(rank, 12)
        for n in (1, 2)
        for side in "ab"
    }
    return {f"{LINEAR}.{part}": value for part, value in {**parts, **more}.items()}


def lokr(**parts: np.ndarray) -> Tensors:
    """A LoKr on the linear layer."""
    return {f"{LINEAR}.lokr_{part}": value for part, value in parts.items()}


def checked(folder: Path, tensors: Tensors, **options: object) -> Checked:
    """Check tensors as one file."""
    path = write(folder / "x.safetensors", tensors)
    return check([path], profile=PROFILE, **options)  # type: ignore[arg-type]


TAKEN: dict[str, tuple[Tensors, int, float]] = {
    "LoCon": (locon(alpha=np.full((), 1, "float32")), 2, 0.5),
    "Tucker": (
        locon()
        | {
            f"{CONV}.lora_down.weight": ones(2, 8, 1, 1),
            f"{CONV}.lora_mid.weight": ones(2, 2, 3, 3),
        },
        2,
        1.0,
    ),
    "original name": (locon("lora_unet_input_blocks_2_0_op"), 2, 1.0),
    "LoHa": (loha(alpha=np.full((), 1, "float32")), 4, 0.5),
    "LoKr": (lokr(w1=ones(4, 4), w2_a=ones(4, 1), w2_b=ones(1, 3)), 4, 1.0),
    "LoKr of two pairs": (
        lokr(w1_a=ones(8, 2), w1_b=ones(2, 6), w2_a=ones(2, 2), w2_b=ones(2, 2)),
        4,
        1.0,
    ),
    "LoKr of two wholes": (
        {**lokr(w1=ones(4, 4), w2=ones(4, 3)), f"{LINEAR}.alpha": np.full((), 5, "float32")},
        12,
        1.0,
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_method_becomes_pair(name: str, tmp_path: Path) -> None:
    """All tensors are applied, at the rank and scale that the method amounts to."""
    tensors, rank, scale = TAKEN[name]

    result = checked(tmp_path, tensors)

    report = result.report
    assert (report.accepted, report.problems) == (True, ())
    assert report.tensors_applied == report.tensor_count == len(tensors)
    assert [(layer.rank, layer.scale) for layer in result.layers] == [(rank, scale)]
    assert report.resident_bytes == _canonical_bytes(result, tmp_path)


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "kernel of another size": (
        locon() | {f"{CONV}.lora_down.weight": ones(2, 8, 5, 5)},
        "SHAPE_MISMATCH",
        "kernel of 5x5, here 3x3",
    ),
    "kernel on a linear layer": (
        lora() | {f"{LINEAR}.lora_down.weight": ones(2, 12, 3, 3)},
        "SHAPE_MISMATCH",
        "kernel of 3x3, here 1x1",
    ),
    "no kernel on a convolution": (
        locon() | {f"{CONV}.lora_down.weight": ones(2, 8)},
        "SHAPE_MISMATCH",
        "kernel of 1x1, here 3x3",
    ),
    "kernel in the up factor": (
        locon() | {f"{CONV}.lora_up.weight": ones(16, 2, 3, 3)},
        "INCOMPLETE_PAIR",
        "shape [16, 2, 3, 3]",
    ),
    "core of another rank": (
        locon()
        | {
            f"{CONV}.lora_down.weight": ones(2, 8, 1, 1),
            f"{CONV}.lora_mid.weight": ones(3, 3, 3, 3),
        },
        "INCOMPLETE_PAIR",
        "core of shape [3, 3, 3, 3]",
    ),
    "core alone": ({f"{CONV}.lora_mid.weight": ones(2, 2, 3, 3)}, "INCOMPLETE_PAIR", "no down"),
    "magnitude alone": ({f"{CONV}.dora_scale": ones(16, 1, 1, 1)}, "INCOMPLETE_PAIR", "no down"),
    "three quarters of a LoHa": (
        {k: v for k, v in loha().items() if not k.endswith("w2_b")},
        "INCOMPLETE_PAIR",
        "no hada_w2_b",
    ),
    "LoHa of two ranks": (
        loha(hada_w2_a=ones(16, 3), hada_w2_b=ones(3, 12)),
        "INCOMPLETE_PAIR",
        "ranks 2 and 2 and 3 and 3",
    ),
    "LoHa beyond the limit": (loha(4097), "RANK_TOO_LARGE", "a LoHa of rank 4097; at most 4096"),
    "LoHa and LoRA at once": (loha() | lora(), "INCOMPLETE_PAIR", "both LoRA and LoHa"),
    "LoKr whole and in parts": (
        lokr(w1=ones(4, 4), w1_a=ones(4, 1), w1_b=ones(1, 4), w2=ones(4, 3)),
        "INCOMPLETE_PAIR",
        "lokr_w1 both whole and decomposed",
    ),
    "half a LoKr": (
        lokr(w1=ones(4, 4), w2_b=ones(1, 3)),
        "INCOMPLETE_PAIR",
        "no lokr_w2_a",
    ),
    "LoKr of another width": (
        lokr(w1=ones(4, 4), w2=ones(4, 4)),
        "SHAPE_MISMATCH",
        "maps 16 to 16, in this base 12 to 16",
    ),
    "magnitude of another width": (
        lora(dora_scale=ones(15, 1)),
        "SHAPE_MISMATCH",
        "dora_scale has the shape [15, 1]",
    ),
    "magnitude of no axis": (lora(dora_scale=ones(16)), "SHAPE_MISMATCH", "the shape [16]"),
    "magnitude that is not finite": (
        lora(dora_scale=ones(16, 1) * np.inf),
        "NOT_FINITE",
        "dora_scale",
    ),
    "product that is not finite": (
        loha(hada_w1_a=ones(16, 2) * 1e30, hada_w2_a=ones(16, 2) * 1e30),
        "NOT_FINITE",
        "overflows when its factors are multiplied",
    ),
    "whole numbers": (lora(dora_scale=ones(16, 1, dtype="int32")), "UNSUPPORTED_DTYPE", "I32"),
    "unknown part": (lora() | {f"{LINEAR}.lokr_t1": ones(1, 1)}, "UNKNOWN_KEYS", "lokr_t1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_layer_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason, and never crashes."""
    tensors, reason, detail = REFUSED[name]

    report = checked(tmp_path, tensors).report

    assert reasons(report) == [reason]
    assert detail in report.problems[0].message and report.problems[0].remedy


PARTS = ("lora_down.weight", "lora_up.weight", "lora_mid.weight", "alpha", "dora_scale")
KEYS = [
    f"{stem}.{part}"
    for stem in (CONV, LINEAR)
    for part in (*PARTS, *sorted(Loha.parts), *sorted(Lokr.parts))
]
SHAPES = st.lists(st.sampled_from([1, 2, 3, 4, 8, 12, 16]), max_size=5).map(tuple)


@settings(max_examples=300)
@given(shapes=st.dictionaries(st.sampled_from(KEYS), SHAPES, min_size=1, max_size=8))
def test_any_shapes_are_judged(shapes: dict[str, tuple[int, ...]], tmp_path: Path) -> None:
    """Arbitrary shapes of any parts never crash; what is accepted can be written whole."""
    path = tmp_path / "x.safetensors"
    path.unlink(missing_ok=True)
    write(path, {key: ones(*shape) for key, shape in shapes.items()})

    result = check([path], profile=PROFILE)

    if result.report.accepted:
        (tmp_path / "canonical").unlink(missing_ok=True)
        assert result.report.resident_bytes == _canonical_bytes(result, tmp_path)


@settings(max_examples=200)
@given(
    name=st.sampled_from(sorted(TAKEN)),
    number=st.integers(0, 5),
    shape=SHAPES,
)
def test_one_odd_shape_is_judged(
    name: str, number: int, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """A good file with one tensor of another shape is judged too."""
    tensors = dict(TAKEN[name][0])
    tensors[sorted(tensors)[number % len(tensors)]] = ones(*shape)
    path = tmp_path / "x.safetensors"
    path.unlink(missing_ok=True)

    result = check([write(path, tensors)], profile=PROFILE)

    if result.report.accepted:
        (tmp_path / "canonical").unlink(missing_ok=True)
        assert result.report.resident_bytes == _canonical_bytes(result, tmp_path)


@pytest.mark.parametrize(("rank_max", "mode"), [(4, "rows"), (3, "merged")])
def test_rank_limit_decides_mode(rank_max: int, mode: str, tmp_path: Path) -> None:
    """The rank that counts is that of the equivalent pair."""
    limits = IntakeLimits(rank_max=rank_max)

    assert checked(tmp_path, loha(), limits=limits).report.mode == mode


@pytest.mark.parametrize(
    ("stem", "shape", "axis"),
    [
        (LINEAR, (16, 1), "outputs"),
        (LINEAR, (1, 12), "inputs"),
        (CONV, (16, 1, 1, 1), "outputs"),
        (CONV, (1, 8, 1, 1), "inputs"),
    ],
)
def test_shape_says_axis(stem: str, shape: tuple[int, ...], axis: str, tmp_path: Path) -> None:
    """A DoRA of LyCORIS says by its shape which side it scales; manifest and file keep it."""
    tensors = (lora() if stem == LINEAR else locon()) | {f"{stem}.dora_scale": ones(*shape) * 3}
    result = checked(tmp_path, tensors)

    manifest = _manifest(result, tmp_path)

    assert result.report.accepted and result.report.tensors_applied == len(tensors)
    (target,) = manifest.targets
    assert target.magnitude_axis == axis
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest
    with safe_open(tmp_path / "canonical", "np") as file:
        found = file.get_tensor(f"unet:{target.module}:magnitude")
    assert found.shape == (max(shape),) and (found == 3).all()


def test_square_magnitude_of_peft_is_of_outputs(tmp_path: Path) -> None:
    """PEFT writes [1, out, 1, 1] for a convolution, where LyCORIS would mean the inputs."""
    shape = ModuleShape(kind="conv2d", inputs=8, outputs=8, kernel=(3, 3))
    profile = BaseProfile(
        family="sd1", fingerprints={}, modules={"unet": {"conv": shape}}, token_widths={}
    )
    factors: Tensors = {
        "unet.conv.lora_A.weight": ones(2, 8, 3, 3),
        "unet.conv.lora_B.weight": ones(8, 2, 1, 1),
    }
    by_peft = factors | {"unet.conv.lora_magnitude_vector": ones(1, 8, 1, 1)}
    path = write(tmp_path / "x.safetensors", by_peft)

    result = check([path], profile=profile)

    assert [layer.axis for layer in result.layers] == ["outputs"]


@pytest.mark.parametrize(("use_dora", "has_magnitude"), [(True, False), (False, True)])
def test_configuration_and_tensors_agree(
    use_dora: bool, has_magnitude: bool, tmp_path: Path
) -> None:
    """A configuration that says DoRA and tensors that do not, or the reverse, are refused."""
    stem = "base_model.model.mid_block.fc"
    tensors: Tensors = {
        f"{stem}.lora_A.weight": ones(2, 12),
        f"{stem}.lora_B.weight": ones(16, 2),
    }
    if has_magnitude:
        tensors[f"{stem}.lora_magnitude_vector"] = ones(16)
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 2, "use_dora": use_dora}))

    report = check([write(tmp_path / "x.safetensors", tensors), config], profile=PROFILE).report

    assert reasons(report) == ["INCOMPLETE_PAIR"]
    assert "magnitude" in report.problems[0].message


def test_convolution_under_two_names_is_refused(tmp_path: Path) -> None:
    """The two names of a downsampler, of diffusers and of the original code, are one layer."""
    tensors = locon() | locon("lora_unet_input_blocks_2_0_op")

    assert reasons(checked(tmp_path, tensors).report) == ["DUPLICATE_TARGET"]


def test_zero_magnitude_layer_is_not_without_effect(tmp_path: Path) -> None:
    """A DoRA changes lengths even where its factors are zero."""
    silent = {key: value * 0 for key, value in lora().items()}

    assert reasons(checked(tmp_path, silent).report) == ["NO_EFFECT"]
    scaled = silent | {f"{LINEAR}.dora_scale": ones(16, 1)}
    assert reasons(checked(tmp_path, scaled).report) == []


def _manifest(result: Checked, folder: Path) -> Manifest:
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))
    canonical = write_canonical(result, folder / "canonical")
    return assemble_manifest(draft, checked=result, canonical=canonical)


def _canonical_bytes(result: Checked, folder: Path) -> int:
    """Bytes of the tensors alone."""
    _manifest(result, folder)
    with safe_open(folder / "canonical", "np") as file:
        return sum(file.get_tensor(key).nbytes for key in file.keys())  # noqa: SIM118
