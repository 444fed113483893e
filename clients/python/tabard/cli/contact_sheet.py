# SPDX-License-Identifier: Apache-2.0
"""Draw images as one labelled picture: a title, columns, rows with a label and a note, a caption.

Pillow images come in, one Pillow image goes out. Knows nothing of servers or releases.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from tabard.pictures.png_text import SHEET_KEYWORD

CELL_PIXELS_MIN = 128

_PAPER = (246, 245, 242)
_INK = (32, 33, 36)
_QUIET_INK = (112, 114, 120)
_LINE = (221, 219, 213)
_MARGIN = 32
_GAP = 8
_LABEL_WIDTH_MAX = 300
_TITLE_POINTS, _LABEL_POINTS, _NOTE_POINTS = 26, 17, 13
_NOTE_LINE = _NOTE_POINTS + 4

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One row: a label, a quieter note under it, and its images from left to right.

    `captions` stand below the images, one for each; there may be none.
    """

    label: str
    note: str = ""
    images: tuple[Image.Image, ...]
    captions: tuple[str, ...] = ()


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
        columns: Labels above the columns, e.g. `seed 7`; fewer than columns is fine. Wrapped to
            the width of a cell.
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
        lines = _note_lines(column, layout.cell_width)
        top = layout.top - 6 - len(lines) * _NOTE_LINE
        _draw_centred(pen, lines, x=x + layout.cell_width // 2, y=top)
    for index, row in enumerate(rows):
        _draw_row(sheet, pen, row=row, index=index, layout=layout)
    _draw_caption(pen, caption_lines, layout=layout)
    return sheet


def sheet_png(sheet: Image.Image) -> bytes:
    """Write a sheet as PNG that says that it is one, so that nobody takes it for a picture."""
    said, written = PngInfo(), io.BytesIO()
    said.add_text(SHEET_KEYWORD, "contact sheet")
    sheet.save(written, format="PNG", pnginfo=said, optimize=True)
    return written.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where things stand, in pixels."""

    width: int
    top: int
    bottom: int
    left: int
    cell_width: int
    cell_height: int
    caption_height: int

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
        heading = max((len(_note_lines(one, cell_width)) for one in columns), default=0)
        top = _MARGIN + (_TITLE_POINTS + 24 if title else 0)
        top += heading * _NOTE_LINE + 6 if columns else 0
        below = [_note_lines(one, cell_width) for row in rows for one in row.captions]
        caption_height = max(map(len, below), default=0) * _NOTE_LINE + (_GAP if below else 0)
        title_width = int(_font(_TITLE_POINTS).getlength(title))
        grid_right = left + count * (cell_width + _GAP) - _GAP
        return cls(
            width=max(grid_right, _MARGIN + title_width) + _MARGIN,
            top=top,
            bottom=top + len(rows) * (cell_height + caption_height + _GAP) - _GAP + _MARGIN,
            left=left,
            cell_width=cell_width,
            cell_height=cell_height,
            caption_height=caption_height,
        )

    def cell(self, row: int, column: int) -> tuple[int, int]:
        """Return the upper left corner of a cell."""
        return (
            self.left + column * (self.cell_width + _GAP),
            self.top + row * (self.cell_height + self.caption_height + _GAP),
        )


def _draw_row(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, *, row: SheetRow, index: int, layout: _Layout
) -> None:
    _, y = layout.cell(index, 0)
    _draw_label(pen, row, y=y, height=layout.cell_height)
    for column, image in enumerate(row.images):
        size = _fit(image.size, max(layout.cell_width, layout.cell_height))
        x, y = layout.cell(index, column)
        grows = size[0] >= image.width
        how = Image.Resampling.NEAREST if grows else Image.Resampling.LANCZOS
        corner = (x + (layout.cell_width - size[0]) // 2, y + (layout.cell_height - size[1]) // 2)
        sheet.paste(image.convert("RGB").resize(size, how), corner)
        frame = (corner[0] - 1, corner[1] - 1, corner[0] + size[0], corner[1] + size[1])
        pen.rectangle(frame, outline=_LINE)
    for column, caption in enumerate(row.captions):
        x, y = layout.cell(index, column)
        below = _note_lines(caption, layout.cell_width)
        _draw_centred(pen, below, x=x + layout.cell_width // 2, y=y + layout.cell_height + 4)


def _draw_label(pen: ImageDraw.ImageDraw, row: SheetRow, *, y: int, height: int) -> None:
    notes = [(line, _NOTE_POINTS, _QUIET_INK) for line in _label_lines(row.note, _NOTE_POINTS)]
    room = (height - len(notes) * (_NOTE_POINTS + 5)) // (_LABEL_POINTS + 5)
    names = _shortened(_label_lines(row.label, _LABEL_POINTS), lines_max=max(1, room))
    lines = [*((line, _LABEL_POINTS, _INK) for line in names), *notes]
    y += (height - sum(points + 5 for _, points, _ in lines)) // 2
    for line, points, ink in lines:
        pen.text((_MARGIN, y), line, font=_font(points), fill=ink)
        y += points + 5


def _draw_centred(pen: ImageDraw.ImageDraw, lines: Sequence[str], *, x: int, y: int) -> None:
    for number, line in enumerate(lines):
        position = (x, y + number * _NOTE_LINE)
        pen.text(position, line, font=_font(_NOTE_POINTS), fill=_QUIET_INK, anchor="ma")


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


def _note_lines(text: str, width: int) -> list[str]:
    return _wrap(text, font=_font(_NOTE_POINTS), width=width)


def _shortened(lines: list[str], *, lines_max: int) -> list[str]:
    """Cut a label that is higher than its row: it would run into the next."""
    return (
        lines if len(lines) <= lines_max else [*lines[: lines_max - 1], f"{lines[lines_max - 1]} …"]
    )


def _wrap(text: str, *, font: _Font, width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in _parted(paragraph.split(), font=font, width=width):
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _parted(words: Sequence[str], *, font: _Font, width: int) -> Iterator[str]:
    """Part the words that are wider than a line."""
    for word in words:
        rest = word
        while font.getlength(rest) > width and len(rest) > 1:
            fits = next(
                count
                for count in range(len(rest) - 1, 0, -1)
                if count == 1 or font.getlength(rest[:count]) <= width
            )
            yield rest[:fits]
            rest = rest[fits:]
        yield rest


def _font(points: int) -> _Font:
    return ImageFont.load_default(size=points)
