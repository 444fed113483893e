# SPDX-License-Identifier: Apache-2.0
"""`tabard job retry`: a job that ended badly is run again."""

from __future__ import annotations

import click

from tabard.cli.commands.generate.job.job_text import document_of
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("job_id", metavar="ID")
@with_session
def retry(session: Session, *, job_id: str) -> None:
    """Run a job again that ended without all its images.

    It has the same id, seeds and releases. One that has all its images stays as it is.

    \b
    tabard job retry 0f3c…
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        status = client.retry_job(job_id)
    session.output.answer(document_of(status), f"job {job_id} is {status.state}")
