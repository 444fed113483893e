# SPDX-License-Identifier: Apache-2.0
"""`tabard search`: the adapters that have some words."""

from __future__ import annotations

from typing import Any

import click

from tabard.cli.numbers import Whole
from tabard.cli.output import table
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="WORDS…")
@click.option("--limit", type=Whole(min=1), help="At most so many.")
@with_session
def search(session: Session, *, words: tuple[str, ...], limit: int | None) -> None:
    """Find adapters that have all the words, best first.

    Looks at names, titles, notes, trigger words, base and kind of each release; other forms of an
    English word are found, too. Shown is the newest release that says the best of it, and where.
    """
    with session.connect() as client:
        hits = client.search(" ".join(words), limit=limit or 0)
    rows = [(hit.adapter, hit.version, ", ".join(hit.found_in), hit.snippet) for hit in hits]
    text: Any = table("adapter", "release", "found in", "words", rows=rows)
    session.output.answer({"hits": hits}, text if rows else "nothing has all these words")
