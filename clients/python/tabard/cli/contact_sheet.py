# SPDX-License-Identifier: Apache-2.0
"""Draw images as one labelled picture: a title, columns, rows with a label and a note, a caption.

Pillow images come in, one Pillow image goes out. Knows nothing of servers or releases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

CELL_PIXELS_MIN = 128

_PAPER = (246, 245, 242)
_INK = (32, 33, 36)
_QUIET_INK = (112, 114, 120)
_LINE = (221, 219, 213)
_MARGIN = 32
_GAP = 8
_LABEL_WIDTH_MAX = 300
_TITLE_POINTS, _LABEL_POINTS, _NOTE_POINTS = 26, 17, 13

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One row: a label, a quieter note under it, and its images from left to right."""

    label: str
    note: str = ""
    images: tuple[Image.Image, ...]


def contact_sheet(
    rows: Sequence[SheetRow],
    *,
    columns: Sequence[str] = (),
    title: str = "",
    caption: str = "",
    cell_pixels: int = CELL_PIXELS_MIN,
) -> Image.Image:
    """Draw the sheet.

    Args:
        rows: At least one; rows may differ in length.
        columns: Labels above the columns, e.g. `seed 7`; fewer than columns is fine.
        title: Above everything.
        caption: Wrapped below everything.
        cell_pixels: Longest side of a cell. Small images are enlarged without smoothing by whole
            factors, large ones are reduced smoothly.

    Raises:
        ValueError: There is no image to show.
    """
    if not any(row.images for row in rows):
        raise ValueError("a contact sheet needs at least one image")
    layout = _Layout.measure(rows, columns=columns, title=title, cell_pixels=cell_pixels)
    caption_lines = _wrap(caption, font=_font(_NOTE_POINTS), width=layout.width - 2 * _MARGIN)
    height = layout.bottom + _caption_height(caption_lines)
    sheet = Image.new("RGB", (layout.width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((_MARGIN, _MARGIN), title, font=_font(_TITLE_POINTS), fill=_INK)
    for index, column in enumerate(columns):
        x, _ = layout.cell(0, index)
        position = (x + layout.cell_width // 2, layout.top - 8)
        pen.text(position, column, font=_font(_NOTE_POINTS), fill=_QUIET_INK, anchor="ms")
    for index, row in enumerate(rows):
        _draw_row(sheet, pen, row=row, index=index, layout=layout)
    _draw_caption(pen, caption_lines, layout=layout)
    return sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where things stand, in pixels."""

    width: int
    top: int
    bottom: int
    left: int
    cell_width: int
    cell_height: int

    @classmethod
    def measure(
        cls, rows: Sequence[SheetRow], *, columns: Sequence[str], title: str, cell_pixels: int
    ) -> _Layout:
        """Measure rows and columns; every cell has the size of the largest image."""
        sizes = [_fit(image.size, cell_pixels) for row in rows for image in row.images]
        cell_width, cell_height = (max(side) for side in zip(*sizes, strict=True))
        count = max(len(row.images) for row in rows)
        labels = max(_label_width(row) for row in rows)
        left = _MARGIN + (labels + 3 * _GAP if labels else 0)
        top = _MARGIN + (_TITLE_POINTS + 24 if title else 0) + (_NOTE_POINTS + 12 if columns else 0)
        title_width = int(_font(_TITLE_POINTS).getlength(title))
        grid_right = left + count * (cell_width + _GAP) - _GAP
        return cls(
            width=max(grid_right, _MARGIN + title_width) + _MARGIN,
            top=top,
            bottom=top + len(rows) * (cell_height + _GAP) - _GAP + _MARGIN,
            left=left,
            cell_width=cell_width,
            cell_height=cell_height,
        )

    def cell(self, row: int, column: int) -> tuple[int, int]:
        """Return the upper left corner of a cell."""
        return (
            self.left + column * (self.cell_width + _GAP),
            self.top + row * (self.cell_height + _GAP),
        )


def _draw_row(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, *, row: SheetRow, index: int, layout: _Layout
) -> None:
    _, y = layout.cell(index, 0)
    _draw_label(pen, row, middle=y + layout.cell_height // 2)
    for column, image in enumerate(row.images):
        size = _fit(image.size, max(layout.cell_width, layout.cell_height))
        x, y = layout.cell(index, column)
        grows = size[0] >= image.width
        how = Image.Resampling.NEAREST if grows else Image.Resampling.LANCZOS
        corner = (x + (layout.cell_width - size[0]) // 2, y + (layout.cell_height - size[1]) // 2)
        sheet.paste(image.convert("RGB").resize(size, how), corner)
        frame = (corner[0] - 1, corner[1] - 1, corner[0] + size[0], corner[1] + size[1])
        pen.rectangle(frame, outline=_LINE)


def _draw_label(pen: ImageDraw.ImageDraw, row: SheetRow, *, middle: int) -> None:
    lines = [(line, _LABEL_POINTS, _INK) for line in _label_lines(row.label, _LABEL_POINTS)]
    lines += [(line, _NOTE_POINTS, _QUIET_INK) for line in _label_lines(row.note, _NOTE_POINTS)]
    y = middle - sum(points + 5 for _, points, _ in lines) // 2
    for line, points, ink in lines:
        pen.text((_MARGIN, y), line, font=_font(points), fill=ink)
        y += points + 5


def _draw_caption(pen: ImageDraw.ImageDraw, lines: Sequence[str], *, layout: _Layout) -> None:
    if not lines:
        return
    y = layout.bottom - _MARGIN // 2
    pen.line((_MARGIN, y, layout.width - _MARGIN, y), fill=_LINE)
    for number, line in enumerate(lines):
        position = (_MARGIN, y + 12 + number * (_NOTE_POINTS + 6))
        pen.text(position, line, font=_font(_NOTE_POINTS), fill=_QUIET_INK)


def _caption_height(lines: Sequence[str]) -> int:
    return len(lines) * (_NOTE_POINTS + 6) + _GAP if lines else 0


def _fit(size: tuple[int, int], cell_pixels: int) -> tuple[int, int]:
    longest = max(size)
    if longest <= cell_pixels:
        factor = cell_pixels // longest
        return size[0] * factor, size[1] * factor
    return (
        max(1, round(size[0] * cell_pixels / longest)),
        max(1, round(size[1] * cell_pixels / longest)),
    )


def _label_width(row: SheetRow) -> int:
    texts = [(row.label, _LABEL_POINTS), (row.note, _NOTE_POINTS)]
    widths = [
        _font(points).getlength(line)
        for text, points in texts
        for line in _label_lines(text, points)
    ]
    return int(max(widths, default=0))


def _label_lines(text: str, points: int) -> list[str]:
    return _wrap(text, font=_font(points), width=_LABEL_WIDTH_MAX)


def _wrap(text: str, *, font: _Font, width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _font(points: int) -> _Font:
    return ImageFont.load_default(size=points)
