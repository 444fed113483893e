# SPDX-License-Identifier: Apache-2.0
"""LoCon, DoRA, LoHa and LoKr: what is taken, at which rank, and what is refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from tabard_registry import BaseProfile, Manifest, ModuleShape, check
from tabard_registry.intake.methods.loha import Loha
from tabard_registry.intake.methods.lokr import Lokr
from tests.registry.fakes import Tensors, write
from tests.registry.intake.lora_files import reasons
from tests.registry.intake.methods.low_rank_files import (
    CONV,
    LINEAR,
    LOHAS,
    LOKRS,
    LORAS,
    PROFILE,
    assert_refused,
    canonical_bytes,
    checked,
    locon,
    loha,
    lora,
    manifest_of,
    ones,
)

TAKEN = {**LORAS, **LOHAS, **LOKRS}
NO_RANK: Tensors = {
    f"{LINEAR}.lora_down.weight": ones(0, 12),
    f"{LINEAR}.lora_up.weight": ones(16, 0),
    f"{LINEAR}.alpha": np.full((), 1, "float32"),
}
"""What a trainer writes of a layer that it skips."""
REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "magnitude alone": ({f"{CONV}.dora_scale": ones(16, 1, 1, 1)}, "INCOMPLETE_PAIR", "no down"),
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
    "unknown part": (lora() | {f"{LINEAR}.lokr_t1": ones(1, 1)}, "UNKNOWN_SUFFIX", "'.lokr_t1' of"),
    "rank 0 with a magnitude": (
        NO_RANK | {f"{LINEAR}.dora_scale": ones(16, 1)},
        "BAD_SHAPE",
        "has rank 0, and",
    ),
    "rank 0 with a bias": (
        NO_RANK | {f"{LINEAR}.lora_up.bias": ones(16)},
        "BAD_SHAPE",
        "has rank 0, and",
    ),
    "nothing but rank 0": (NO_RANK, "RANK_ZERO", "change nothing"),
    "alpha of no numbers": (
        lora() | {f"{LINEAR}.alpha": ones(0)},
        "BAD_SHAPE",
        "holds no numbers",
    ),
    "shard that was not gathered": (
        lora() | {f"{LINEAR}.lora_down.weight": ones(0)},
        "BAD_SHAPE",
        "a sharded training is gathered",
    ),
    "difference of no numbers": (
        {f"{LINEAR}.diff": ones(0, 12)},
        "BAD_SHAPE",
        "holds no numbers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_layer_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason, and never crashes."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(checked(tmp_path, tensors).report, reason, detail)


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
        assert result.report.resident_bytes == canonical_bytes(result, tmp_path)


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
        assert result.report.resident_bytes == canonical_bytes(result, tmp_path)


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

    manifest = manifest_of(result, tmp_path)

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


def test_layer_of_rank_0_changes_nothing(tmp_path: Path) -> None:
    """Beside layers that change something it is applied for what it is, and said."""
    result = checked(tmp_path, locon() | NO_RANK)

    report = result.report
    assert report.accepted and reasons(report) == ["RANK_ZERO"]
    assert "mid_block.fc" in report.problems[0].message
    assert report.tensors_applied == report.tensor_count == 5
    assert [layer.module for layer in result.layers] == ["down_blocks.0.downsamplers.0.conv"]
    assert manifest_of(result, tmp_path).targets[0].rank == 2


def test_convolution_under_two_names_is_refused(tmp_path: Path) -> None:
    """The two names of a downsampler, of diffusers and of the original code, are one layer."""
    tensors = locon() | locon("lora_unet_input_blocks_2_0_op")

    assert reasons(checked(tmp_path, tensors).report) == ["DUPLICATE_TARGET"]
