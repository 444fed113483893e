# SPDX-License-Identifier: Apache-2.0
"""Two releases as pictures: side by side, with a heat map of how far they are apart.

In: a client and two releases. Out: a folder, a sheet, and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from tabard.calls.health.compare import SEEDS
from tabard.calls.health.grid_drawing import grid_drawing
from tabard.cli.commands.health.compare import draw_missing
from tabard.cli.commands.health.comparison_folder import SHEET, ComparisonFolder
from tabard.cli.session import Session
from tabard.client import Client
from tabard.errors import NotFound, PermissionDenied, Unimplemented
from tabard.health.compared import TRIGGER, ComparisonCell, ComparisonPlan
from tabard.pictures.difference import PixelDifference, apart
from tabard.releases.release import Release

PROMPTS: Mapping[str, tuple[str, str]] = {
    "style": (f"a lighthouse on a cliff {TRIGGER}", f"a bowl of fruit on a table {TRIGGER}"),
    "concept": (
        f"a lighthouse on a cliff with {TRIGGER}",
        f"a bowl of fruit on a table with {TRIGGER}",
    ),
    "subject": (f"a {TRIGGER} on white background", f"a {TRIGGER} in a forest"),
}
"""What is drawn where the grid cannot be had: the first prompts of those that are shipped."""

_PICTURES = 2
"""How many prompts and seeds of a grid are drawn."""
_NO_GRID = (NotFound, PermissionDenied, Unimplemented)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureDifference:
    """One prompt and seed in both releases, and how far the pictures are apart.

    `prompt` is as the second release draws it; `left` and `right` are the names of the files.
    """

    prompt: str
    seed: int
    left: str
    right: str
    pixels: PixelDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureDiff:
    """Two releases as pictures.

    Attributes:
        folder: Where they are.
        sheet: All of them, side by side with their heat maps.
        pictures: Each prompt and seed.
        mean: Mean difference of all pixels and colours, in steps of 1/255.
        changed: Share of the pixels that differ by more than a batch may bring about.
    """

    folder: str
    sheet: str
    pictures: tuple[PictureDifference, ...]
    mean: float
    changed: float


def picture_diff(
    session: Session, client: Client, *, releases: Sequence[Release], prompts: Sequence[str],
    seeds: Sequence[int], out: Path,
) -> PictureDiff:  # fmt: skip
    """Draw two releases, and measure how far their pictures are apart. Raises as drawing does."""
    drawing = _default_drawing(client, releases[-1])
    said = {"prompts": tuple(prompts), "seeds": tuple(seeds or ())}
    comparison = client.compare(
        [f"{one.adapter}@{one.digest}" for one in releases],
        **drawing | {name: value for name, value in said.items() if value},
    )
    plan = comparison.plan
    fingerprint = client.status().base_fingerprint
    folder = ComparisonFolder(out, plan=plan, base_fingerprint=fingerprint)
    draw_missing(session, comparison, folder=folder)
    found = tuple(_differences(plan, folder))
    sheet = folder.write(SHEET, _sheet(plan, folder, found))
    mean, changed = (
        fmean(getattr(one.pixels, name) for one in found) for name in ("mean", "changed")
    )
    differences = [asdict(one) for one in found]
    folder.write_index(also={"sheet": SHEET, "differences": differences})
    return PictureDiff(
        folder=str(out), sheet=str(sheet), pictures=found, mean=mean, changed=changed
    )


def in_words(pixels: PixelDifference | PictureDiff) -> str:
    """Say how far pictures are apart."""
    return f"mean {pixels.mean:.1f} of 255, {pixels.changed:.0%} of pixels"


def _default_drawing(client: Client, release: Release) -> dict[str, Any]:
    """Give the beginning of the grid that a release is judged with, and how that is drawn."""
    purpose = release.judged_as
    try:
        grid = grid_drawing(client.grid(purpose, place=release.adapter).document)
    except _NO_GRID:
        return {"prompts": PROMPTS[purpose], "seeds": SEEDS[:_PICTURES]}
    scored = [one for one in grid.prompts if one not in grid.controls]
    return {
        "prompts": scored[:_PICTURES],
        "seeds": grid.seeds[:_PICTURES],
        **grid.options,
    }


def _pairs(plan: ComparisonPlan) -> list[tuple[ComparisonCell, ComparisonCell]]:
    cells = plan.cells
    return list(zip(cells[::2], cells[1::2], strict=True))


def _differences(plan: ComparisonPlan, folder: ComparisonFolder) -> Any:
    for left, right in _pairs(plan):
        files = [folder.file(cell) for cell in (left, right)]
        yield PictureDifference(
            prompt=right.prompt,
            seed=left.seed,
            left=files[0].name,
            right=files[1].name,
            pixels=apart(*map(_read, files)),
        )


def _sheet(
    plan: ComparisonPlan, folder: ComparisonFolder, found: Sequence[PictureDifference]
) -> bytes:
    from tabard.cli.commands.health import comparison_sheet as sheets  # noqa: PLC0415 - Pillow is for sheets
    from tabard.cli.contact_sheet import SheetRow, contact_sheet, sheet_png  # noqa: PLC0415 - as above
    from tabard.pictures.difference import heat_map  # noqa: PLC0415 - as above

    rows = []
    for (left, right), one in zip(_pairs(plan), found, strict=True):
        images = [_read(folder.file(cell)) for cell in (left, right)]
        row = SheetRow(
            label=sheets.row_label(plan, left.template) if left.seed == plan.seeds[0] else "",
            note=f"seed {left.seed}",
            images=(*images, heat_map(*images)),
            captions=(
                *(f"{cell.side.version} · seed {cell.seed}" for cell in (left, right)),
                in_words(one.pixels),
            ),
        )
        rows.append(row)
    sheet = contact_sheet(
        rows,
        columns=[*(sheets.heading(side, plan) for side in plan.sides), "difference"],
        title=" and ".join(f"{one.adapter} {one.version}" for one in plan.sides),
        caption="Difference: black is none, then purple, red and orange, and yellow is the "
        f"largest there can be. {sheets.how_drawn(folder.file(plan.cells[0]))}",
        cell_pixels=sheets.CELL_PIXELS,
    )
    return sheet_png(sheet)


def _read(file: Path) -> Any:
    from PIL import Image  # noqa: PLC0415 - as above

    with Image.open(file, formats=("PNG",)) as image:
        return image.convert("RGB")
