# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tests.registry.fakes import Tensors
from tests.registry.intake import lora_files
from tests.registry.intake.change_files import Expected, assert_taken_whole, kept
from tests.registry.intake.dense_files import CONV, FC, checked, scalar, some
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


OWN = "oft_unet_mid_block_fc"
OWN_CONV = "oft_unet_down_blocks_0_resnets_0_conv1"
DOTTED = "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q"


@pytest.mark.parametrize("alpha", [0.25, 0.0])
@pytest.mark.parametrize("stem", [OWN, OWN_CONV])
def test_own_bound_is_a_hair_wider(stem: str, alpha: float, tmp_path: Path) -> None:
    """It adds 1e-8 to the bound of all outputs together, and bounds by a zero too."""
    tensors: Tensors = {f"{stem}.oft_blocks": some(4, 4, 4), f"{stem}.alpha": scalar(alpha)}

    manifest, _ = kept(checked(tmp_path, tensors), tmp_path)

    (change,) = manifest.changes
    assert (change.method, change.parts) == ("oft", ("blocks",))
    assert dict(change.options) == {"constraint": alpha + 1e-8 / 16}


@pytest.mark.parametrize(("alpha", "options"), [(4.0, {"constraint": 0.25}), (0.0, {}), (None, {})])
def test_bound_of_comfyui_is_one_of_all(
    alpha: float | None, options: dict[str, float], tmp_path: Path
) -> None:
    """It does not grow with the outputs, as LyCORIS' does; zero is no bound."""
    tensors: Tensors = {f"{DOTTED}.oft_blocks": some(4, 4, 4)}
    if alpha is not None:
        tensors[f"{DOTTED}.alpha"] = scalar(alpha)

    manifest, _ = kept(lora_files.checked(tmp_path, tensors), tmp_path)

    assert dict(manifest.changes[0].options) == options


def test_numbers_of_onetrainer_become_blocks(tmp_path: Path) -> None:
    """Upper triangles, scaled where a mark says so; a convolution's turn the other way."""
    vectors, conv = some(3, 6), some(18, 6)
    plain: Tensors = {f"{FC}.oft_R.weight": vectors, f"{CONV}.oft_R.weight": conv}
    marks = {f"{x}.oft_R.scaled_oft": np.ones((), "bool") for x in (FC, CONV)}

    for tensors, factor in ((plain, 1.0), ({**plain, **marks}, 1 / (2 * 3**0.5))):
        result = checked(tmp_path, tensors)
        _, canonical = kept(result, tmp_path)
        by_conv, by_fc = canonical.changes

        assert result.report.tensors_applied == len(tensors)
        assert dict(by_fc.options) == {"on_input": True, "terms": 5.0}
        rows, columns = np.triu_indices(4, k=1)
        for change, numbers in ((by_fc, vectors), (by_conv, -conv)):
            found = change.parts["blocks"][:, rows, columns]
            np.testing.assert_allclose(found, numbers * factor, rtol=1e-6)
        assert not by_fc.parts["blocks"][:, columns, rows].any()
        (tmp_path / "canonical").unlink()


def test_unscaled_mark_scales_nothing(tmp_path: Path) -> None:
    """The mark is a truth and not the fact that it is there."""
    tensors: Tensors = {f"{FC}.oft_R.weight": some(3, 6)}
    marked = {**tensors, f"{FC}.oft_R.scaled_oft": np.zeros((), "bool")}

    (plain,) = checked(tmp_path, tensors).changes
    (found,) = checked(tmp_path, marked).changes

    assert np.array_equal(found.read()["blocks"], plain.read()["blocks"])


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "OFT of another width": ({f"{FC}.oft_blocks": some(3, 4, 4)}, "SHAPE_MISMATCH", "12 outputs"),
    "OFT of no squares": ({f"{FC}.oft_blocks": some(4, 4, 3)}, "BAD_SHAPE", "[4, 4, 3]"),
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
    "own OFT without its bound": ({f"{OWN}.oft_blocks": some(4, 4, 4)}, "ALPHA_UNKNOWN", "how far"),
    "own OFT of another width": (
        {f"{OWN}.oft_blocks": some(3, 4, 4), f"{OWN}.alpha": scalar(1)},
        "SHAPE_MISMATCH",
        "12 outputs",
    ),
    "own OFT of four dimensions": (
        {f"{OWN}.oft_blocks": some(1, 4, 4, 4), f"{OWN}.alpha": scalar(1)},
        "BAD_SHAPE",
        "[1, 4, 4, 4]",
    ),
    "OneTrainer's OFT of another width": (
        {f"{FC}.oft_R.weight": some(4, 6)},
        "SHAPE_MISMATCH",
        "turns 16 inputs, here 12",
    ),
    "OneTrainer's OFT of no triangle": (
        {f"{FC}.oft_R.weight": some(3, 5)},
        "SHAPE_MISMATCH",
        "here 12",
    ),
    "OneTrainer's OFT with an alpha": (
        {f"{FC}.oft_R.weight": some(3, 6), f"{FC}.alpha": scalar(1)},
        "BAD_ALPHA",
        "with an alpha",
    ),
    "mark alone": ({f"{FC}.oft_R.scaled_oft": np.ones((), "bool")}, "INCOMPLETE_PAIR", "has no"),
    "rescale alone": ({f"{FC}.rescale": some(16, 1)}, "INCOMPLETE_PAIR", "no oft_blocks"),
    "BOFT of too many stages": (
        {f"{FC}.oft_blocks": some(4, 4, 4, 4)},
        "BAD_SHAPE",
        "4 butterfly stages",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_rotation_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever cannot be applied completely is refused with its reason and a remedy."""
    tensors, reason, detail = REFUSED[name]

    assert_refused(checked(tmp_path, tensors).report, reason, detail)
