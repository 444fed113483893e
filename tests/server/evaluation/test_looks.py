# SPDX-License-Identifier: Apache-2.0
"""What looks at pictures: learned encoders in their places; what was not drawn is black."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.looks import (
    Encoders,
    Look,
    gathered,
    look_at,
    look_at_training,
)
from tabard_server.judgement.pictures.encoder import EncoderKind, Picture, Vectors
from tabard_server.judgement.pictures.fallback import LayoutFallback
from tests.server.judgement.drawn import picture


@dataclass(frozen=True)
class Learned:
    """An encoder of three numbers."""

    kind: EncoderKind
    name: str = "mine"
    digest: str = "c" * 64
    is_learned: bool = True

    def embed(self, pictures: list[Picture]) -> Vectors:
        return np.stack([one.mean(axis=(0, 1)) for one in pictures]).astype(np.float32)


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(seed)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_learned_ones_take_their_places() -> None:
    """Each by its kind; the others are as without weights."""
    style, subject, copy = (
        Learned(kind) for kind in (EncoderKind.STYLE, EncoderKind.SUBJECT, EncoderKind.COPY)
    )

    found = Encoders.with_learned([subject, copy, style])

    assert (found.style, found.subject, found.copy) == (style, subject, copy)
    assert found.layout == subject
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

    encoders = Encoders.with_learned([Counted(EncoderKind.SUBJECT)])

    found = encoders.embed([picture(1), picture(2)])

    assert seen == [2]
    assert found["layout"] is found["subject"]
    assert [one.name for one in encoders.distinct] == ["tabard-style", "mine", "tabard-copy"]


def test_every_side_is_looked_at() -> None:
    """By every encoder; a picture that is not there is black, and not sound."""
    encoders = Encoders(subject=Learned(EncoderKind.SUBJECT))
    pngs = {Side.CANDIDATE: None, Side.BASE: png(1)}

    found = look_at(pngs, size=(64, 64), encoders=encoders)

    assert set(found[Side.BASE].vectors) == {"style", "layout", "copy", "texture", "subject"}
    assert found[Side.CANDIDATE].vectors["subject"].tolist() == [0.0, 0.0, 0.0]
    assert [found[side].soundness.is_finite for side in pngs] == [False, True]


def test_looks_are_gathered_by_prompt_and_seed() -> None:
    """Whatever order they came in."""

    def look(value: float) -> Look:
        one = look_at({Side.BASE: png(1)}, size=(64, 64), encoders=Encoders())[Side.BASE]
        return Look(vectors={"style": np.array([value])}, soundness=one.soundness)

    looks = {(1, 0): look(10.0), (0, 1): look(1.0), (0, 0): look(0.0), (1, 1): look(11.0)}

    side = gathered(looks)

    assert side.of("style", prompts=[1, 0])[..., 0].tolist() == [[10.0, 11.0], [0.0, 1.0]]
    assert len(side.soundness) == 2


def test_references_and_training_are_looked_at() -> None:
    """Training pictures with all that they may come back as."""
    pictures = [picture(seed) for seed in range(4)]

    assert Encoders().embed(pictures)["copy"].shape == (4, 1024)
    assert look_at_training(pictures, encoders=Encoders()).shape == (4, 18, 1024)
