# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import IntakeLimits
from tests.registry.fakes import Tensors, kohya_tensors
from tests.registry.intake import dense_files
from tests.registry.intake.change_files import kept
from tests.registry.intake.dense_files import CONV, FC, lora, scalar, some
from tests.registry.intake.lora_files import PROFILE, checked, reasons
from tests.registry.intake.methods import low_rank_files


def test_rank_over_the_limit_is_refused(tmp_path: Path) -> None:
    """The rank that a merged copy takes has a limit with a name."""
    modules = [("unet", "mid_block.attentions.0.proj_in")]

    report = checked(tmp_path, kohya_tensors(PROFILE, rank=4097, modules=modules)).report

    assert reasons(report) == ["RANK_TOO_LARGE"]


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

    result = dense_files.checked(tmp_path, tensors, limits=IntakeLimits(rank_max=3))
    manifest, _ = kept(result, tmp_path)

    (change,) = manifest.changes
    assert (change.method, change.scale, set(change.parts)) == (method, scale, parts)
    assert manifest.targets == () and result.report.mode == "merged"
    assert dense_files.checked(tmp_path, tensors).report.mode == "rows"


SHAPES: dict[str, tuple[Tensors, dict[str, tuple[int, ...]]]] = {
    "LoHa of a kernel": (
        low_rank_files.conv_loha(),
        {"w1_a": (16, 2, 1, 1), "w1_b": (2, 72), "w2_a": (16, 2, 1, 1), "w2_b": (2, 72)},
    ),
    "LoRA of a kernel in columns": (
        low_rank_files.locon() | {f"{low_rank_files.CONV}.lora_down.weight": some(2, 72)},
        {"down": (2, 8, 3, 3), "up": (16, 2, 1, 1)},
    ),
    "LoRA of a kernel": (
        low_rank_files.locon(),
        {"down": (2, 8, 3, 3), "up": (16, 2, 1, 1)},
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_kernels_are_kept_where_others_have_them(name: str, tmp_path: Path) -> None:
    """Whoever wrote it, a LoRA has its kernel as kohya does, and a LoHa as LyCORIS does."""
    tensors, shapes = SHAPES[name]

    result = low_rank_files.checked(tmp_path, tensors, limits=IntakeLimits(rank_max=1))
    _, canonical = kept(result, tmp_path)

    (change,) = canonical.changes
    assert {part: found.shape for part, found in change.parts.items()} == shapes
    assert all(
        np.array_equal(found.ravel(), tensors[_key(part)].ravel())
        for part, found in change.parts.items()
    )


def _key(part: str) -> str:
    name = f"lora_{part}.weight" if part in ("down", "up") else f"hada_{part}"
    return f"{low_rank_files.CONV}.{name}"


@pytest.mark.parametrize(("rank_max", "mode"), [(4, "rows"), (3, "merged")])
def test_rank_limit_decides_mode(rank_max: int, mode: str, tmp_path: Path) -> None:
    """The rank that counts is that of the equivalent pair."""
    limits = IntakeLimits(rank_max=rank_max)

    assert (
        low_rank_files.checked(tmp_path, low_rank_files.loha(), limits=limits).report.mode == mode
    )
