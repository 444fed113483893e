# SPDX-License-Identifier: Apache-2.0
"""What is drawn of a grid: cells, each one prompt and seed, drawn by every side. Pure.

In: a grid, and the sides that draw it. Out: the wanted pictures of each cell, and the key under
which each is known, which holds everything that shapes it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tabard_registry.evidence.grid import Grid, GridPrompt
from tabard_registry.refs.digest import Digest
from tabard_registry.release.manifest import canonical_json
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.jobs.job import WantedAdapter


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
        key: Hash of everything that shapes it, in hex; before it the digest of the release.
        is_control: Whether its prompt is a control, which names no word that a release teaches.
    """

    wanted: WantedDrawing
    worn: Worn
    seed: int
    key: str
    is_control: bool = False


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


def cells_of(grid: Grid, *, sides: Mapping[Side, Worn], sampler: str, origin: str) -> list[Cell]:
    """Return the cells of a grid, prompt by prompt.

    The base knows no trigger, and is asked for what kind of thing it stands for, or without it: so
    its pictures serve every release.

    Args:
        grid: Prompts and seeds.
        sides: Who draws it.
        sampler: Short name of its sampler on this server.
        origin: Everything of a server that shapes pictures: base, device, libraries.
    """

    def picture(prompt: GridPrompt, seed: int, worn: Worn) -> WantedPicture:
        words = prompt.drawn(worn.trigger if worn.digest else prompt.class_word)
        wanted = _drawing(grid, prompt=words, sampler=sampler)
        key = _key(wanted, worn=worn, seed=seed, origin=origin)
        return WantedPicture(
            wanted=wanted, worn=worn, seed=seed, key=key, is_control=prompt.control
        )

    return [
        Cell(
            prompt=place,
            seed=seed,
            pictures={side: picture(prompt, seed, worn) for side, worn in sides.items()},
        )
        for place, prompt in enumerate(grid.prompts)
        for seed in grid.seeds
    ]


def _drawing(grid: Grid, *, prompt: str, sampler: str) -> WantedDrawing:
    """Return a drawing that leaves nothing to a server's defaults."""
    return WantedDrawing(
        prompt=prompt,
        negative_prompt=grid.negative_prompt,
        steps=grid.steps,
        guidance_scale=grid.guidance_scale,
        width=grid.width,
        height=grid.height,
        sampler=sampler,
        prompt_syntax="plain",
        token_match="whole",
    )


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
    key = hashlib.sha256(canonical_json(shaped)).hexdigest()
    # What a release drew is found by it, for it goes when that one is purged.
    return f"{Digest.parse(worn.digest).hex}.{key}" if worn.digest else key
