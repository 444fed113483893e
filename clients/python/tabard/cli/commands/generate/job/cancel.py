# SPDX-License-Identifier: Apache-2.0
"""`tabard job cancel`: a job ends."""

from __future__ import annotations

import click

from tabard.cli.commands.generate.job.job_text import document_of
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("job_id", metavar="ID")
@click.option("--forget", is_flag=True, help="Keep nothing of it, images included.")
@with_session
def cancel(session: Session, *, job_id: str, forget: bool) -> None:
    """End a job; one that is over stays as it is.

    \b
    tabard job cancel 0f3c…
    tabard job cancel 0f3c… --forget
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        status = client.cancel_job(job_id, forget=forget)
    became = "is forgotten" if forget else f"is {status.state}"
    session.output.answer(document_of(status), f"job {job_id} {became}")
