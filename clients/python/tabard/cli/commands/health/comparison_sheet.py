# SPDX-License-Identifier: Apache-2.0
"""A comparison as one labelled picture: a row for each prompt and seed, a column for each side.

Files of images come in, one Pillow image goes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from tabard.calls.replay import provenance_of
from tabard.cli.contact_sheet import CELL_PIXELS_MIN, SheetRow, contact_sheet
from tabard.health.compared import TRIGGER, ComparisonCell, ComparisonPlan, ComparisonSide

CELL_PIXELS = 256
"""Longest side of a cell, as long as there are not too many of them."""
_LARGE_CELLS_MAX = 256
_TRIGGERS = "(trigger) stands for the word below each name. "


def comparison_sheet(plan: ComparisonPlan, files: Mapping[ComparisonCell, Path]) -> Image.Image:
    """Draw the sheet of a comparison, every cell of which has a file."""
    pixels = CELL_PIXELS if len(plan.cells) <= _LARGE_CELLS_MAX else CELL_PIXELS_MIN
    rows = []
    for prompt in plan.prompts:
        for seed in plan.seeds:
            cells = [ComparisonCell(side=one, template=prompt, seed=seed) for one in plan.sides]
            row = SheetRow(
                label=row_label(plan, prompt) if seed == plan.seeds[0] else "",
                note=f"seed {seed}",
                images=tuple(small(files[cell], pixels=pixels) for cell in cells),
                captions=tuple(f"{_short(cell.side, plan)} · seed {seed}" for cell in cells),
            )
            rows.append(row)
    return contact_sheet(
        rows,
        columns=[heading(side, plan) for side in plan.sides],
        title=sheet_title(plan),
        caption="Each row is one prompt and seed, each column one release at one weight. "
        f"{_TRIGGERS if has_many_words(plan) else ''}{how_drawn(files[plan.cells[0]])}",
        cell_pixels=pixels,
    )


def heading(side: ComparisonSide, plan: ComparisonPlan) -> str:
    """Name a side, and its word where others have other words."""
    return f"{side.label}\n“{side.word}”" if side.word and has_many_words(plan) else side.label


def has_many_words(plan: ComparisonPlan) -> bool:
    """Say whether prompts ask for words, and those of the releases are not the same."""
    return len(_words(plan)) > 1 and any(TRIGGER in prompt for prompt in plan.prompts)


def sheet_title(plan: ComparisonPlan) -> str:
    """Name the releases, each once."""
    names = [f"{one.adapter} {one.version}" for one in plan.sides if not one.is_base]
    return " · ".join(dict.fromkeys(names))


def row_label(plan: ComparisonPlan, prompt: str) -> str:
    """Give a prompt as the releases draw it, with the word that they have in common."""
    if has_many_words(plan):
        return prompt.replace(TRIGGER, "(trigger)")
    return next(side for side in plan.sides if not side.is_base).prompt(prompt)


def how_drawn(file: Path) -> str:
    """Say how an image was drawn, by what it says of itself."""
    told = provenance_of(file.read_bytes())
    parts = [
        f"{told.get('steps')} steps of {told.get('sampler')}",
        f"guidance {told.get('guidance_scale')}".removesuffix(".0"),
        f"{told.get('width')}x{told.get('height')}",
    ]
    if told.get("negative_prompt"):
        parts.append(f"kept away from “{told['negative_prompt']}”")
    return f"Drawn with {', '.join(parts)}."


def small(file: Path, *, pixels: int) -> Image.Image:
    """Read an image, reduced to what a cell shows of it."""
    with Image.open(file, formats=("PNG",)) as image:
        shown = image.convert("RGB")
    shown.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    return shown


def _words(plan: ComparisonPlan) -> set[str]:
    return {side.word for side in plan.sides if not side.is_base}


def _short(side: ComparisonSide, plan: ComparisonPlan) -> str:
    """Name a side as shortly as the others allow."""
    if side.is_base:
        return side.label
    lines = {one.adapter for one in plan.sides if not one.is_base}
    return (
        side.label.removeprefix(f"{side.adapter} ")
        if len(lines) == 1
        else (side.label.rpartition("/")[2])
    )
