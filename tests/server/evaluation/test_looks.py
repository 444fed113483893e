# SPDX-License-Identifier: Apache-2.0
"""What is kept of pictures."""

import numpy as np
import pytest

from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.looks import (
    Encoders,
    gathered,
    look_at,
    look_at_training,
    pixels_of,
)
from tabard_server.judgement.pictures.encoder import EncoderKind, Picture, Vectors
from tabard_server.judgement.pictures.fallback import LayoutFallback
from tests.server.encoders.learned import Learned
from tests.server.evaluation.wishes.planning import png_of
from tests.server.judgement.drawn import picture

ENCODERS = Encoders()


def test_learned_ones_take_their_places() -> None:
    """Each by its kind; the others are as without weights."""
    style, subject, copy = (
        Learned(kind) for kind in (EncoderKind.STYLE, EncoderKind.SUBJECT, EncoderKind.COPY)
    )

    found = Encoders.with_learned([subject, copy, style])

    assert (found.style, found.subject, found.copy) == (style, subject, copy)
    assert isinstance(found.layout, LayoutFallback)
    assert found.texture == Encoders().style
    assert Encoders.with_learned([]) == Encoders()
    assert "subject" not in Encoders().all


def test_untrained_ones_see_no_subjects() -> None:
    """Or a gate would trust them about one."""
    with pytest.raises(ValueError, match="knows no subjects"):
        Encoders(subject=LayoutFallback())


def test_each_encoder_looks_once() -> None:
    """However many places it has."""
    seen = []

    class Counted(Learned):
        def embed(self, pictures: list[Picture]) -> Vectors:
            seen.append(len(pictures))
            return super().embed(pictures)

    encoders = Encoders(style=Counted(), texture=Counted())

    found = encoders.embed([picture(1), picture(2)])

    assert seen == [2]
    assert found["style"] is found["texture"]
    assert [one.name for one in encoders.distinct] == ["mine", "tabard-layout", "tabard-copy"]


def test_every_side_is_looked_at() -> None:
    """By every encoder, as if each picture were alone."""
    pngs = {Side.CANDIDATE: png_of(1), Side.BASE: png_of(2)}

    found = look_at(pngs, size=(64, 64), encoders=ENCODERS)

    assert set(found) == set(pngs)
    assert set(found[Side.BASE].vectors) == {"style", "layout", "copy", "texture"}
    np.testing.assert_array_equal(
        found[Side.BASE].vectors["style"], ENCODERS.style.embed([picture(2)])[0]
    )
    assert found[Side.BASE].soundness.is_finite


def test_missing_picture_is_not_sound() -> None:
    """What became NaN is looked at as black, and told as broken."""
    found = look_at({Side.CANDIDATE: None}, size=(64, 32), encoders=ENCODERS)[Side.CANDIDATE]

    assert not found.soundness.is_finite
    assert found.soundness.contrast == 0


def test_cells_are_put_together() -> None:
    """By prompt and seed, in whatever order they came."""
    pictures = {(prompt, seed): png_of(10 * prompt + seed) for prompt in (1, 0) for seed in (1, 0)}
    looks = {
        place: look_at({Side.BASE: png}, size=(64, 64), encoders=ENCODERS)[Side.BASE]
        for place, png in pictures.items()
    }

    found = gathered(looks)

    style = found.of("style", prompts=[1])
    assert found.vectors["style"].shape[:2] == (2, 2)
    np.testing.assert_array_equal(style[0, 1], ENCODERS.style.embed([picture(11)])[0])
    assert [len(row) for row in found.soundness] == [2, 2]


def test_training_pictures_have_variants() -> None:
    """Mirrored and shifted ones, so that such copies are found."""
    found = look_at_training([picture(1), picture(2)], encoders=ENCODERS)

    assert found.shape[:2] == (2, 18)
    np.testing.assert_array_equal(found[0, 0], ENCODERS.copy.embed([picture(1)])[0])


def test_file_is_decoded() -> None:
    """To what was drawn."""
    np.testing.assert_array_equal(pixels_of(png_of(3)), picture(3))
