# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tests.registry.fakes import Tensors
from tests.registry.intake.change_files import Expected, assert_taken_whole, kept
from tests.registry.intake.dense_files import CONV, FC, checked, scalar, some
from tests.registry.intake.methods.low_rank_files import assert_refused

TAKEN: dict[str, tuple[Tensors, Expected]] = {
    "IA3": (
        {f"{FC}.weight": some(16), f"{FC}.on_input": scalar(0, "int64")},
        {"unet:mid_block.fc.weight": ("ia3", 1.0, ("weight",))},
    ),
    "IA3 of the inputs of a kernel": (
        {f"{CONV}.weight": some(1, 8, 1, 1), f"{CONV}.on_input": scalar(1, "int64")},
        {"unet:down_blocks.0.resnets.0.conv1.weight": ("ia3", 1.0, ("weight",))},
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_scaling_is_taken_whole(name: str, tmp_path: Path) -> None:
    """Every tensor is applied, the manifest names every parameter, the bytes are the writer's."""
    tensors, expected = TAKEN[name]

    assert_taken_whole(tensors, expected, folder=tmp_path)


def test_options_are_kept(tmp_path: Path) -> None:
    """What the method must know beside its arrays is in the manifest."""
    tensors: Tensors = {f"{FC}.weight": some(12), f"{FC}.on_input": scalar(1, "int64")}

    manifest, canonical = kept(checked(tmp_path, tensors), tmp_path)

    assert (
        dict(manifest.changes[0].options)
        == dict(canonical.changes[0].options)
        == {"on_input": True}
    )


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "IA3 of the other side": (
        {f"{FC}.weight": some(16), f"{FC}.on_input": scalar(1, "int64")},
        "SHAPE_MISMATCH",
        "scales 16 channels, here 12",
    ),
    "IA3 of no side": ({f"{FC}.weight": some(16)}, "INCOMPLETE_PAIR", "no on_input"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_scaling_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason and a remedy."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(checked(tmp_path, tensors).report, reason, detail)
