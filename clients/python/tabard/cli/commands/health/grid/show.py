# SPDX-License-Identifier: Apache-2.0
"""`tabard grid show`: what a grid draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from tabard.cli.commands.health.grid.list_ import EVERYBODY
from tabard.cli.layout import Answer, Text
from tabard.cli.output import fields, short, table
from tabard.cli.session import Session, with_session
from tabard.health.evidence import GridDocument


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--for", "place", metavar="PLACE", default="", help="As a namespace or a line means it."
)
@with_session
def show(session: Session, *, name: str, place: str) -> None:
    """Show a grid: its prompts and seeds, and how they are drawn.

    With --json it is the document, to change and to put again.
    """
    with session.connect() as client:
        found = client.grid(name, place=place)
    session.output.answer(found.document, *_text(found))


def _text(found: GridDocument) -> Iterator[Answer]:
    said, grid = found.document, found.grid
    yield Text.assemble((grid.name, "bold"), f"  of {grid.place or EVERYBODY}")
    yield fields(
        {
            "purpose": str(said.get("purpose", "")),
            "seeds": ", ".join(str(one) for one in said.get("seeds", ())),
            "size": f"{said.get('width')}x{said.get('height')}",
            "steps": str(said.get("steps", "")),
            "guidance": str(said.get("guidance_scale", "")),
            "sampler": str(said.get("sampler", "")) or "the server's own",
            "not to show": str(said.get("negative_prompt", "")),
            "document": short(grid.digest),
        }
    )
    yield table("prompt", "kind", rows=[_row(one) for one in said.get("prompts", ())])


def _row(prompt: dict[str, Any]) -> tuple[str, str]:
    return str(prompt.get("text", "")), "control" if prompt.get("control") else "scored"
