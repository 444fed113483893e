# SPDX-License-Identifier: Apache-2.0
"""`tabard job show`: how one job stands."""

from __future__ import annotations

import click

from tabard.cli.commands.generate.job.job_text import document_of, text_of
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("job_id", metavar="ID")
@with_session
def show(session: Session, *, job_id: str) -> None:
    """Tell how a job stands: its place, its progress, its images.

    \b
    tabard job show 0f3c…
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        status = client.job_status(job_id)
    session.output.answer(document_of(status), *text_of(status))
