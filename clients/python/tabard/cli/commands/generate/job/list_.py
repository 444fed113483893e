# SPDX-License-Identifier: Apache-2.0
"""`tabard job list`: your jobs, as rows."""

from __future__ import annotations

import click

from tabard.cli.commands.generate.job.job_text import COLUMNS, document_of, row_of
from tabard.cli.numbers import Whole
from tabard.cli.output import table
from tabard.cli.session import Session, with_session


@click.command("list")
@click.option("--limit", type=Whole(min=1), help="At most so many.")
@with_session
def list_(session: Session, *, limit: int | None) -> None:
    """List your jobs, the newest first.

    \b
    tabard job list --limit 10
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        found = client.jobs(limit=limit)
    rows = [row_of(one) for one in found]
    text = table(*COLUMNS, rows=rows) if rows else "you have no jobs here"
    session.output.answer([document_of(one) for one in found], text)
