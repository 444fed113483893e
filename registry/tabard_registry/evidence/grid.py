# SPDX-License-Identifier: Apache-2.0
"""A grid: the prompts and seeds that a release is drawn with when it is judged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from tabard_registry.errors import InvalidField
from tabard_registry.evidence.codec import refused
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import check_channel

TRIGGER = "{trigger}"
"""What stands in a prompt for the first trigger word of the release, or for all of a recipe's."""
PROMPTS_MIN = 12
"""Fewest prompts that are scored: with fewer, the intervals tell nothing."""
PROMPTS_MAX = 64
"""Most prompts of a grid, those of control included."""
SEEDS_MAX = 16
"""Most seeds of a grid."""

_STEPS_MAX = 1_000
_SIDE_MAX = 4_096


def trigger_of(kind: str, *, words: Iterable[str]) -> str:
    """Return what the placeholder becomes: the first word, or all that a recipe's members have."""
    given = tuple(dict.fromkeys(words))
    return ", ".join(given if kind == "recipe" else given[:1])


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPrompt:
    """One prompt of a grid.

    Attributes:
        text: The prompt; `{trigger}` stands for the trigger word.
        control: Whether it is one that must look the same with the release as without.
        class_word: What kind of thing a subject is, like `dog`: the base draws that instead.
    """

    text: str
    control: bool = False
    class_word: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise refused("a prompt of the grid", "is empty")
        if self.control and TRIGGER in self.text:
            raise refused("a control prompt of the grid", f"has {TRIGGER}")

    def drawn(self, trigger: str) -> str:
        """Write the prompt with a trigger word, or without any."""
        text = self.text.replace(TRIGGER, trigger) if trigger else without_trigger(self.text)
        return _tidy(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Prompts and seeds, and how all of them are drawn.

    Attributes:
        name: What it is called in its namespace; written like a channel.
        purpose: What it is for: `concept`, `style`, `subject`, or empty.
        prompts: The prompts.
        seeds: The seeds; every prompt is drawn with each.
        negative_prompt: What the images shall not show.
        steps: Denoise steps.
        width: Width in pixels.
        height: Height in pixels.
        guidance_scale: How strongly the prompt is followed.
        sampler: Name of the sampler; empty: the server's own.

    Raises:
        InvalidField: There are too few prompts (GRID_EMPTY), too many (GRID_TOO_LARGE), or
            something is no grid.
    """

    kind: ClassVar[str] = "grid"
    name: str
    prompts: tuple[GridPrompt, ...]
    seeds: tuple[int, ...]
    steps: int
    width: int
    height: int
    guidance_scale: float
    purpose: Literal["", "concept", "style", "subject"] = ""
    negative_prompt: str = ""
    sampler: str = ""

    def __post_init__(self) -> None:
        check_channel(self.name)
        scored = sum(1 for prompt in self.prompts if not prompt.control)
        if scored < PROMPTS_MIN or not self.seeds:
            raise InvalidField(
                f"the grid {self.name} scores {scored} prompts with {len(self.seeds)} seeds",
                reason="GRID_EMPTY",
                hint=f"Give at least {PROMPTS_MIN} prompts besides those of control, and a seed.",
            )
        if len(self.prompts) > PROMPTS_MAX or len(self.seeds) > SEEDS_MAX:
            raise InvalidField(
                f"the grid {self.name} has {len(self.prompts)} prompts and {len(self.seeds)} seeds",
                reason="GRID_TOO_LARGE",
                hint=f"At most {PROMPTS_MAX} prompts and {SEEDS_MAX} seeds.",
            )
        texts = [prompt.text for prompt in self.prompts]
        if len(set(texts)) != len(texts) or len(set(self.seeds)) != len(self.seeds):
            raise refused("the grid", "has a prompt or a seed twice: it would count double")
        if min(self.seeds) < 0:
            raise refused("grid.seeds", "has a seed below 0")
        sizes = 0 < self.width <= _SIDE_MAX and 0 < self.height <= _SIDE_MAX
        if not (sizes and 0 < self.steps <= _STEPS_MAX and self.guidance_scale >= 0):
            raise refused("the grid", "has an impossible size, number of steps or guidance")

    @property
    def blobs(self) -> tuple[Digest, ...]:
        """What it needs besides itself: nothing."""
        return ()

    def refuse_without_trigger(self, trigger_words: tuple[str, ...]) -> None:
        """Refuse prompts that do not name the trigger, for a release that has one.

        Raises:
            InvalidField: A prompt has no `{trigger}` (TRIGGER_MISSING).
        """
        lacking = [p.text for p in self.prompts if not p.control and TRIGGER not in p.text]
        if trigger_words and lacking:
            raise InvalidField(
                f"a prompt of the grid {self.name} does not name the trigger: {lacking[0][:80]!r}",
                reason="TRIGGER_MISSING",
                hint=f"Write {TRIGGER} where {trigger_words[0]!r} shall stand, or mark the prompt "
                "as control.",
            )


def without_trigger(prompt: str) -> str:
    """Write a prompt without `{trigger}`, nor the comma before it; one that has none stays."""
    if TRIGGER not in prompt:
        return prompt
    return _tidy(re.sub(rf",?\s*{re.escape(TRIGGER)}", "", prompt))


def _tidy(text: str) -> str:
    return " ".join(text.split()).lstrip(" ,").replace(" ,", ",")
