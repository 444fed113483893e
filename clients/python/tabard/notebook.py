# SPDX-License-Identifier: Apache-2.0
"""What notebooks show of texts and pictures: HTML, where everything is escaped, or one picture."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Sequence
from html import escape

_COLUMNS_MAX = 4
_PNG = b"\x89PNG"
_JPEG = b"\xff\xd8"


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a title; cells are texts."""
    head = "".join(f"<th>{escape(one)}</th>" for one in headings)
    lines = (
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def pictures(pngs: Iterable[tuple[bytes, str]], *, caption: str) -> str:
    """Return pictures side by side, each with a text below it, and a caption of all."""
    figures = (
        '<figure style="display:inline-block;margin:4px">'
        f'<img src="data:{_media_type(png)};base64,{base64.b64encode(png).decode()}" '
        f'alt="{escape(text)}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
        for png, text in pngs
    )
    return f"<div>{''.join(figures)}<div>{escape(caption)}</div></div>"


def sheet(pngs: Sequence[bytes]) -> bytes:
    """Return one PNG of several, in rows of at most four; one alone stays as it is."""
    if len(pngs) == 1 and pngs[0].startswith(_PNG):
        return pngs[0]
    from PIL import Image  # noqa: PLC0415 - Pillow is loaded only by those who look at pictures

    images = [Image.open(io.BytesIO(png)) for png in pngs]
    width, height = (max(one.size[axis] for one in images) for axis in (0, 1))
    columns = min(len(images), _COLUMNS_MAX)
    rows = math.ceil(len(images) / columns)
    found = Image.new("RGB", (columns * width, rows * height), "white")
    for number, image in enumerate(images):
        found.paste(image, (number % columns * width, number // columns * height))
    written = io.BytesIO()
    found.save(written, format="PNG")
    return written.getvalue()


def _media_type(picture: bytes) -> str:
    if picture.startswith(_PNG):
        return "image/png"
    return "image/jpeg" if picture.startswith(_JPEG) else "image/webp"
