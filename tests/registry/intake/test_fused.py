# SPDX-License-Identifier: Apache-2.0
"""Each change of a fused layer, multiplied out here, against its pieces as they are read."""

from pathlib import Path

import numpy as np
import pytest

from tabard_registry import Checked, IntakeLimits, check
from tabard_registry.intake.fused import with_fused
from tabard_registry.intake.transformer_names import Original, originals
from tests.registry.fakes import Tensors, sd_profile, write
from tests.registry.intake.transformers import sd3_profile

PROFILE = sd3_profile()
ORIGINALS = {one.name: one for one in originals(PROFILE)}
QKV = "joint_blocks.0.x_block.attn.qkv"
SWAPPED = "joint_blocks.1.context_block.adaLN_modulation.1"
FUSED = [one for one in ORIGINALS.values() if not one.is_whole]
RNG = np.random.default_rng(5)


def integers(*shape: int) -> np.ndarray:
    """Small whole numbers, so that sums are exact in any order."""
    return RNG.integers(-3, 4, shape).astype(np.float32)


def shape_of(one: Original) -> tuple[int, int]:
    """Outputs and inputs of an original."""
    return one.outputs, PROFILE.modules["transformer"][one.pieces[0].module].inputs


def lora(stem: str, one: Original, *, rank: int = 2) -> Tensors:
    """A plain LoRA, named by ComfyUI or by kohya."""
    outputs, inputs = shape_of(one)
    down, up = integers(rank, inputs), integers(outputs, rank)
    return {
        f"{stem}.lora_down.weight": down,
        f"{stem}.lora_up.weight": up,
        f"{stem}.alpha": np.full((), 2 * rank, np.float32),
    }


def read(tensors: Tensors, folder: Path, **options: object) -> Checked:
    """Check tensors as one file on the small SD3."""
    path = write(folder / "x.safetensors", tensors)
    return check([path], profile=PROFILE, **options)  # type: ignore[arg-type]


def assert_rows(found: Checked, one: Original, wanted: np.ndarray, *, own: str = "weight") -> None:
    """The pieces' changes are the rows of the whole, and nothing else is changed."""
    assert found.report.accepted, found.report.problems
    assert found.report.tensors_applied == found.report.tensor_count
    changed: dict[str, np.ndarray] = {}
    for layer in found.layers:
        pair = layer.factors.read()
        delta = pair.up.astype(np.float64) @ pair.down.astype(np.float64)
        changed[f"{layer.module}.weight"] = layer.scale * delta
    for change in found.changes:
        changed[change.parameter] = change.scale * change.read()["diff"]
    assert changed.keys() == {f"{piece.module}.{own}" for piece in one.pieces}
    for piece in one.pieces:
        rows = np.concatenate([wanted[start:end] for start, end in piece.spans])
        assert np.array_equal(changed[f"{piece.module}.{own}"], rows)


@pytest.mark.parametrize("one", FUSED, ids=lambda one: one.name)
@pytest.mark.parametrize("style", ["comfyui", "kohya"])
def test_pair_is_split(one: Original, style: str, tmp_path: Path) -> None:
    """All pieces share the down factor; each has its own rows of the up factor, to the bit."""
    flat = f"lora_unet_{one.name.replace('.', '_')}"
    stem = f"diffusion_model.{one.name}" if style == "comfyui" else flat
    tensors = lora(stem, one)

    found = read(tensors, tmp_path)

    wanted = 2 * tensors[f"{stem}.lora_up.weight"] @ tensors[f"{stem}.lora_down.weight"]
    assert found.report.dialect == style
    assert_rows(found, one, wanted)


def test_whole_originals_have_both_names(tmp_path: Path) -> None:
    """A layer that is one in both codes needs no split."""
    one = ORIGINALS["joint_blocks.0.x_block.mlp.fc1"]
    tensors = lora(f"diffusion_model.{one.name}", one)

    found = read(tensors, tmp_path)

    stem = f"diffusion_model.{one.name}"
    wanted = 2 * tensors[f"{stem}.lora_up.weight"] @ tensors[f"{stem}.lora_down.weight"]
    assert_rows(found, one, wanted)
    assert found.layers[0].factors.rows == ()


def test_magnitude_is_split_by_rows(tmp_path: Path) -> None:
    """A DoRA's lengths of rows go with the rows."""
    one = ORIGINALS[QKV]
    stem = f"diffusion_model.{QKV}"
    lengths = 1 + np.arange(one.outputs, dtype=np.float32)

    found = read({**lora(stem, one), f"{stem}.dora_scale": lengths.reshape(-1, 1)}, tmp_path)

    assert found.report.accepted
    for layer in found.layers:
        (piece,) = (piece for piece in one.pieces if piece.module == layer.module)
        ((start, end),) = piece.spans
        magnitude = layer.factors.read_magnitude()
        assert magnitude is not None
        assert np.array_equal(magnitude, lengths[start:end])


def test_magnitude_of_columns_is_refused(tmp_path: Path) -> None:
    """The length of a column is that of all rows together: no piece has one."""
    one = ORIGINALS[QKV]
    stem = f"diffusion_model.{QKV}"
    columns = np.ones((1, shape_of(one)[1]), np.float32)

    report = read({**lora(stem, one), f"{stem}.dora_scale": columns}, tmp_path).report

    assert [problem.reason for problem in report.problems] == ["UNSUPPORTED_DIALECT"]
    assert f"{QKV} is a DoRA by columns" in report.problems[0].message


def test_columns_are_no_matter_where_rows_turn(tmp_path: Path) -> None:
    """Rows in another order leave the length of a column as it is."""
    one = ORIGINALS[SWAPPED]
    stem = f"diffusion_model.{SWAPPED}"
    columns = 1 + np.arange(shape_of(one)[1], dtype=np.float32)

    found = read({**lora(stem, one), f"{stem}.dora_scale": columns[None]}, tmp_path)

    assert found.report.accepted
    magnitude = found.layers[0].factors.read_magnitude()
    assert magnitude is not None
    assert np.array_equal(magnitude, columns)


@pytest.mark.parametrize("left", [2, 8, 24])
@pytest.mark.parametrize("rank_max", [2, 64])
def test_kronecker_product_is_split(left: int, rank_max: int, tmp_path: Path) -> None:
    """Also where the rows of a piece are no product themselves, and beyond what slots take."""
    one = ORIGINALS[QKV]
    outputs, inputs = shape_of(one)
    first, second = integers(left, 2), integers(outputs // left, inputs // 2)
    stem = f"lora_unet_{QKV.replace('.', '_')}"
    tensors = {f"{stem}.lokr_w1": first, f"{stem}.lokr_w2": second}

    found = read(tensors, tmp_path, limits=IntakeLimits(rank_max=rank_max))

    assert bool(found.layers) is (min(left, 2) * min(second.shape) <= rank_max)
    assert_rows(found, one, np.kron(first, second))


def test_large_pairs_are_split(tmp_path: Path) -> None:
    """What only a merged copy can wear keeps its factors."""
    one = ORIGINALS[QKV]
    stem = f"diffusion_model.{QKV}"
    tensors = lora(stem, one, rank=4)

    found = read(tensors, tmp_path, limits=IntakeLimits(rank_max=2))

    up = tensors[f"{stem}.lora_up.weight"]
    for change, piece in zip(
        found.changes, sorted(one.pieces, key=lambda x: x.module), strict=True
    ):
        ((start, end),) = piece.spans
        assert (change.method, change.parameter) == ("lora", f"{piece.module}.weight")
        assert np.array_equal(change.read()["up"], up[start:end])
        assert np.array_equal(change.read()["down"], tensors[f"{stem}.lora_down.weight"])


@pytest.mark.parametrize("own", ["weight", "bias"])
def test_full_differences_are_split(own: str, tmp_path: Path) -> None:
    """Of a weight row by row, of a bias number by number."""
    one = ORIGINALS[QKV]
    stem = f"diffusion_model.{QKV}"
    shape = shape_of(one) if own == "weight" else (one.outputs,)
    difference = integers(*shape)
    key = "diff" if own == "weight" else "diff_b"

    found = read({f"{stem}.{key}": difference}, tmp_path)

    assert_rows(found, one, difference, own=own)


def test_norms_keep_their_numbers(tmp_path: Path) -> None:
    """A norm of queries is one in both codes."""
    one = ORIGINALS["joint_blocks.0.x_block.attn.ln_q"]
    difference = integers(one.outputs)

    found = read({f"diffusion_model.{one.name}.diff": difference}, tmp_path)

    assert_rows(found, one, difference)


def test_alone_and_fused_is_twice(tmp_path: Path) -> None:
    """One file may not change a layer under both names."""
    one = ORIGINALS[QKV]
    alone = ORIGINALS["joint_blocks.0.x_block.mlp.fc1"]
    own = "lora_unet_transformer_blocks_0_attn_to_q"
    piece = Original(name="q", pieces=one.pieces[:1], outputs=shape_of(one)[1])

    tensors = {**lora(f"lora_unet_{QKV.replace('.', '_')}", one), **lora(own, piece)}
    report = read(
        {**tensors, **lora("lora_unet_transformer_blocks_0_ff_net_0_proj", alone)}, tmp_path
    ).report

    assert [problem.reason for problem in report.problems] == ["DUPLICATE_TARGET"]
    assert (
        "transformer.transformer_blocks.0.attn.to_q is changed alone and in a fused"
        in report.problems[0].message
    )


def test_rotations_are_refused_by_name(tmp_path: Path) -> None:
    """An OFT turns rows of the fused layer into each other."""
    one = ORIGINALS[QKV]
    stem = f"lora_unet_{QKV.replace('.', '_')}"
    blocks = np.zeros((4, one.outputs // 4, one.outputs // 4), np.float32)

    report = read(
        {f"{stem}.oft_blocks": blocks, f"{stem}.alpha": np.ones((), np.float32)}, tmp_path
    ).report

    assert [problem.reason for problem in report.problems] == ["UNSUPPORTED_DIALECT"]
    assert f"{QKV} is OFT" in report.problems[0].message


def test_unet_is_left_alone() -> None:
    """Nothing is fused in a UNet, and its profile stays the same object."""
    profile = sd_profile()

    assert with_fused(profile) is profile
