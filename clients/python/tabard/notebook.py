# SPDX-License-Identifier: Apache-2.0
"""HTML for notebooks, of plain texts and PNG bytes; everything that others wrote is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a title; cells are texts."""
    head = "".join(f"<th>{escape(one)}</th>" for one in headings)
    lines = (
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def pictures(pngs: Iterable[tuple[bytes, str]], *, caption: str) -> str:
    """Return PNGs side by side, each with a text below it, and a caption of all."""
    figures = (
        '<figure style="display:inline-block;margin:4px">'
        f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{escape(text)}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
        for png, text in pngs
    )
    return f"<div>{''.join(figures)}<div>{escape(caption)}</div></div>"
