# SPDX-License-Identifier: Apache-2.0
"""What is drawn of a grid: cells, each one prompt and seed, drawn by every side. Pure.

In: a grid, and the sides that draw it. Out: the wanted pictures of each cell, and the key under
which each is known, which holds everything that shapes it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tabard_registry.release.manifest import canonical_json
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.jobs.job import WantedAdapter

TRIGGER = "{trigger}"
"""What stands for the word that wakes a release, in a prompt of a grid."""


class Side(StrEnum):
    """Who draws a picture of a cell."""

    CANDIDATE = "candidate"
    AGAINST = "against"
    BASE = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """What one side wears.

    Attributes:
        digest: Of its release; empty: it wears nothing.
        adapter: The release line.
        weight: How strongly it acts; None: it has none.
        trigger: What the placeholder becomes in its prompts; empty: nothing.
    """

    digest: str = ""
    adapter: str = ""
    weight: float | None = None
    trigger: str = ""

    @property
    def stack(self) -> tuple[WantedAdapter, ...]:
        """The stack that it asks for."""
        if not self.digest:
            return ()
        return (WantedAdapter(ref=f"{self.adapter}@{self.digest}", weight=self.weight),)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPicture:
    """One picture of a cell.

    Attributes:
        wanted: What it shall be.
        worn: What it wears.
        seed: Its seed.
        key: Hash of everything that shapes it, in hex.
    """

    wanted: WantedDrawing
    worn: Worn
    seed: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One prompt and seed of a grid.

    Attributes:
        prompt: Place of the prompt in the grid.
        seed: The seed, the same for every side.
        pictures: What each side draws.
    """

    prompt: int
    seed: int
    pictures: Mapping[Side, WantedPicture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt of a grid as it is drawn.

    Attributes:
        text: With the placeholder.
        class_word: What the base is asked for in its place; empty: nothing.
    """

    text: str
    class_word: str = ""

    def for_side(self, worn: Worn) -> str:
        """Return the words for one side.

        The base knows no trigger, and is asked without it: its pictures then serve every release.
        """
        word = worn.trigger if worn.digest else self.class_word
        return " ".join(self.text.replace(TRIGGER, word).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """How all pictures of a grid are drawn.

    Attributes:
        negative_prompt: What to keep away from.
        steps: Denoise steps.
        guidance_scale: Classifier-free guidance.
        width: Pixels.
        height: Pixels.
        sampler: Short name.
    """

    negative_prompt: str
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str

    def of(self, prompt: str) -> WantedDrawing:
        """Return the drawing of a prompt; nothing of it is left to a server's defaults."""
        return WantedDrawing(
            prompt=prompt,
            negative_prompt=self.negative_prompt,
            steps=self.steps,
            guidance_scale=self.guidance_scale,
            width=self.width,
            height=self.height,
            sampler=self.sampler,
            prompt_syntax="plain",
            token_match="whole",
        )


def cells_of(
    prompts: Sequence[Prompt],
    *,
    seeds: Sequence[int],
    drawn: Drawn,
    sides: Mapping[Side, Worn],
    origin: str,
) -> list[Cell]:
    """Return the cells of a grid, prompt by prompt.

    Args:
        prompts: Its prompts.
        seeds: Its seeds.
        drawn: How it is drawn.
        sides: Who draws it.
        origin: Everything of a server that shapes pictures: base, device, libraries.
    """

    def picture(prompt: Prompt, seed: int, worn: Worn) -> WantedPicture:
        wanted = drawn.of(prompt.for_side(worn))
        key = _key(wanted, worn=worn, seed=seed, origin=origin)
        return WantedPicture(wanted=wanted, worn=worn, seed=seed, key=key)

    return [
        Cell(
            prompt=place,
            seed=seed,
            pictures={side: picture(prompt, seed, worn) for side, worn in sides.items()},
        )
        for place, prompt in enumerate(prompts)
        for seed in seeds
    ]


def _key(wanted: WantedDrawing, *, worn: Worn, seed: int, origin: str) -> str:
    shaped = {
        "v": 1,
        "origin": origin,
        "stack": [[worn.digest, worn.weight]] if worn.digest else [],
        "prompt": wanted.prompt,
        "negative_prompt": wanted.negative_prompt,
        "steps": wanted.steps,
        "guidance_scale": wanted.guidance_scale,
        "width": wanted.width,
        "height": wanted.height,
        "sampler": wanted.sampler,
        "seed": seed,
    }
    return hashlib.sha256(canonical_json(shaped)).hexdigest()
