# SPDX-License-Identifier: Apache-2.0
"""`tabard grid put`: a grid of a namespace or a release line, from its JSON document."""

from __future__ import annotations

from pathlib import Path

import click

from tabard.cli.output import short
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--for", "place", metavar="PLACE", required=True, help="A namespace or a line: acme, acme/ink."
)
@click.option("--reason", default="", help="Why; kept in the history.")
@with_session
def put(session: Session, *, file: Path, place: str, reason: str) -> None:
    """Give a namespace or a release line a grid; a newer one of its name replaces it.

    A grid has 12 scored prompts or more, 64 in all at most, and 1 to 16 seeds. {trigger} stands in
    a prompt for the word that wakes a release; prompts with `"control": true` have none.
    """
    with session.connect() as client:
        done = client.put_grid(file, place=place, reason=reason)
    said = f"{done.grid.name} of {done.grid.place} is {short(done.grid.digest)}"
    session.output.answer(done, said if done.changed else f"nothing changed: {said}")
