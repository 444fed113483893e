# SPDX-License-Identifier: Apache-2.0
"""A comparison as it is planned, and what comes of it: sides, cells, and an image for each.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tabard.result import GeneratedImage, WornRelease

TRIGGER = "{trigger}"
"""What stands in a prompt for the first trigger word of a release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSide:
    """One release at one weight, or the base alone.

    Attributes:
        ref: As it was asked for, without a weight; empty: the base alone.
        adapter: Line of the release.
        version: Its version.
        digest: Its digest; what is drawn is pinned to it.
        weight: How strongly it is worn; None: it has no weight, as the words of a textual
            inversion, or it is the base.
        word: What stands for `{trigger}` in its prompts; empty: nothing.
    """

    ref: str
    adapter: str = ""
    version: str = ""
    digest: str = ""
    weight: float | None = None
    word: str = ""

    @property
    def is_base(self) -> bool:
        """Whether it is the base alone."""
        return not self.digest

    @property
    def label(self) -> str:
        """What people call it, like `acme/ink 1.0.0 at 0.8`."""
        if self.is_base:
            return "base"
        at = "" if self.weight is None else f" at {self.weight:g}"
        return f"{self.adapter} {self.version}{at}"

    @property
    def stack(self) -> tuple[str, ...]:
        """What `generate` takes as its adapters."""
        if self.is_base:
            return ()
        at = "" if self.weight is None else f":{self.weight!r}"
        return (f"{self.adapter}@{self.digest}{at}",)

    def prompt(self, template: str) -> str:
        """Write a prompt with the word of this side, or without any, nor the comma before it."""
        placeholder = re.escape(TRIGGER) if self.word else rf",?\s*{re.escape(TRIGGER)}"
        written = re.sub(placeholder, lambda _found: self.word, template)
        return " ".join(written.split()).lstrip(" ,").replace(" ,", ",")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonCell:
    """One prompt and seed, drawn by one side.

    Attributes:
        side: Who draws it.
        template: The prompt as it was asked for.
        seed: The seed.
        class_word: What the base draws for `{trigger}` in this prompt; empty: its side's word.
    """

    side: ComparisonSide
    template: str
    seed: int
    class_word: str = ""

    @property
    def prompt(self) -> str:
        """The prompt as it is drawn, with the trigger word where `{trigger}` stands."""
        side = replace(self.side, word=self.class_word) if self.class_word else self.side
        return side.prompt(self.template)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPlan:
    """Everything that is drawn.

    Attributes:
        sides: Releases and weights, the base first where it was asked for.
        prompts: As they were asked for.
        seeds: Every prompt is drawn with each.
        options: What `generate` takes besides.
        class_words: What the base draws for `{trigger}`, by prompt, where a grid says so.
    """

    sides: tuple[ComparisonSide, ...]
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    class_words: Mapping[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[ComparisonCell, ...]:
        """The cells: prompt by prompt, seed by seed, side by side."""
        return tuple(
            ComparisonCell(
                side=side,
                template=prompt,
                seed=seed,
                class_word=self.class_words.get(prompt, "") if side.is_base else "",
            )
            for prompt in self.prompts
            for seed in self.seeds
            for side in self.sides
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedImage:
    """A cell that was drawn: its image, and what that wore."""

    cell: ComparisonCell
    image: GeneratedImage
    worn: tuple[WornRelease, ...]
