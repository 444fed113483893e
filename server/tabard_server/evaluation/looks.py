# SPDX-License-Identifier: Apache-2.0
"""What is kept of a picture to judge it: vectors of every encoder, and whether it is sound.

In: PNG files, one cell at a time. Out: arrays of prompts x seeds for each side. Pixels are held no
longer than they are looked at.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from tabard_server.engine_port.drawing import Pixels, Size
from tabard_server.evaluation.cells import Side
from tabard_server.judgement.pictures.encoder import Encoder, EncoderKind
from tabard_server.judgement.pictures.fallback import CopyFallback, LayoutFallback, StyleFallback
from tabard_server.judgement.pictures.sanity import Soundness
from tabard_server.judgement.pictures.variants import variants_of

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoders:
    """What looks at pictures, each at something else; learned ones take the place of the others.

    Attributes:
        style: What all pictures of a style have in common.
        layout: Where edges are: which prompt a picture is of, unless `subject` can tell better.
        copy: Whether two pictures are nearly the same.
        texture: How far pictures moved, in distances between seeds. Never a learned one: it was
            trained to see no difference between seeds.
        subject: What is seen in a picture, by one that was trained; None: nobody here can tell.
    """

    style: Encoder = field(default_factory=StyleFallback)
    layout: Encoder = field(default_factory=LayoutFallback)
    copy: Encoder = field(default_factory=CopyFallback)
    texture: Encoder = field(default_factory=StyleFallback)
    subject: Encoder | None = None

    def __post_init__(self) -> None:
        if self.subject is not None and not self.subject.is_learned:
            raise ValueError(f"{self.subject.name} was not trained, and knows no subjects")

    @classmethod
    def with_learned(cls, learned: Sequence[Encoder]) -> Self:
        """Let each learned one take its place, by its kind; the others are as without weights."""
        places = {EncoderKind.STYLE: "style", EncoderKind.SUBJECT: "subject"}
        return cls(**{places.get(one.kind, "copy"): one for one in learned})

    @property
    def all(self) -> dict[str, Encoder]:
        """Every one that there is, by what it looks at."""
        found = {
            "style": self.style,
            "layout": self.layout,
            "copy": self.copy,
            "texture": self.texture,
        }
        return found | ({} if self.subject is None else {"subject": self.subject})

    @property
    def distinct(self) -> list[Encoder]:
        """Every one that there is, once."""
        return list({one.digest: one for one in self.all.values()}.values())

    def embed(self, pictures: Sequence[Pixels]) -> dict[str, Vectors]:
        """Look at pictures with every one, by what it looks at: pictures x numbers."""
        found = {one.digest: one.embed(list(pictures)) for one in self.distinct}
        return {name: found[one.digest] for name, one in self.all.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is kept of one picture.

    Attributes:
        vectors: One of each encoder.
        soundness: Its contrast, and whether there was a picture.
    """

    vectors: Mapping[str, Vectors]
    soundness: Soundness


@dataclass(frozen=True, slots=True, kw_only=True)
class SideLooks:
    """All pictures of one side.

    Attributes:
        vectors: Prompts x seeds x numbers, of each encoder.
        soundness: Of each prompt, of each seed.
    """

    vectors: Mapping[str, Vectors]
    soundness: Sequence[Sequence[Soundness]]

    def of(self, encoder: str, *, prompts: Sequence[int]) -> Vectors:
        """Return the vectors of some prompts."""
        return self.vectors[encoder][list(prompts)]


def pixels_of(png: bytes) -> Pixels:
    """Decode a picture that this server drew."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def look_at(
    pngs: Mapping[Side, bytes | None], *, size: Size, encoders: Encoders
) -> dict[Side, Look]:
    """Look at the pictures of a cell; what could not be drawn is black."""
    black = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pictures = [black if png is None else pixels_of(png) for png in pngs.values()]
    found = encoders.embed(pictures)
    return {
        side: Look(
            vectors={name: vectors[place] for name, vectors in found.items()},
            soundness=Soundness.of(pictures[place], is_finite=pngs[side] is not None),
        )
        for place, side in enumerate(pngs)
    }


def look_at_training(pictures: Sequence[Pixels], *, encoders: Encoders) -> Vectors:
    """Look at training pictures and at all that they may come back as."""
    return np.stack([encoders.copy.embed(variants_of(one)) for one in pictures])


def gathered(looks: Mapping[tuple[int, int], Look]) -> SideLooks:
    """Put the looks of one side together, by place of the prompt and of the seed."""
    prompts = range(1 + max(prompt for prompt, _ in looks))
    seeds = range(1 + max(seed for _, seed in looks))
    names = looks[0, 0].vectors
    return SideLooks(
        vectors={
            name: np.stack([np.stack([looks[p, s].vectors[name] for s in seeds]) for p in prompts])
            for name in names
        },
        soundness=[[looks[p, s].soundness for s in seeds] for p in prompts],
    )
