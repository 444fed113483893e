# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tests.registry.fakes import Tensors
from tests.registry.intake.dense_files import CONV, FC, checked, scalar, some
from tests.registry.intake.methods.change_files import Expected, assert_taken_whole, kept
from tests.registry.intake.methods.low_rank_files import assert_refused

TAKEN: dict[str, tuple[Tensors, Expected]] = {
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
}


@pytest.mark.parametrize("name", TAKEN)
def test_rotation_is_taken_whole(name: str, tmp_path: Path) -> None:
    """Every tensor is applied, the manifest names every parameter, the bytes are the writer's."""
    tensors, expected = TAKEN[name]

    assert_taken_whole(tensors, expected, folder=tmp_path)


def test_options_are_kept(tmp_path: Path) -> None:
    """What the method must know beside its arrays is in the manifest."""
    tensors: Tensors = {f"{FC}.oft_blocks": some(4, 4, 4), f"{FC}.alpha": scalar(0.5)}

    manifest, canonical = kept(checked(tmp_path, tensors), tmp_path)

    assert (
        dict(manifest.changes[0].options)
        == dict(canonical.changes[0].options)
        == {"constraint": 0.5}
    )


REFUSED: dict[str, tuple[Tensors, str, str]] = {
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
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_rotation_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason and a remedy."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(checked(tmp_path, tensors).report, reason, detail)
