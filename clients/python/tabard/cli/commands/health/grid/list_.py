# SPDX-License-Identifier: Apache-2.0
"""`tabard grid list`: which grids there are, and whose."""

from __future__ import annotations

import click

from tabard.cli.output import short, table
from tabard.cli.session import Session, with_session

EVERYBODY = "every registry"
"""Whose the shipped grids are."""


@click.command(name="list")
@click.option(
    "--for", "place", metavar="PLACE", default="", help="Those that a namespace or a line can mean."
)
@with_session
def list_(session: Session, *, place: str) -> None:
    """List grids, by place and name."""
    with session.connect() as client:
        found = client.grids(place=place)
    rows = [(one.name, one.place or EVERYBODY, short(one.digest)) for one in found]
    session.output.answer(found, table("grid", "of", "document", rows=rows))
