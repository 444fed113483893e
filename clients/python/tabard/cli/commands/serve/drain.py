# SPDX-License-Identifier: Apache-2.0
"""`tabard drain`: the running jobs end, and no other begins."""

from __future__ import annotations

import click

from tabard.cli.numbers import Number
from tabard.cli.session import Session, with_session
from tabard.patience import TIMEOUT_SECONDS_MAX


@click.command()
@click.option(
    "--wait",
    "wait_seconds",
    type=Number(min=0, max=TIMEOUT_SECONDS_MAX),
    default=0.0,
    metavar="SECONDS",
    help="Wait so long for running jobs.",
)
@with_session
def drain(session: Session, *, wait_seconds: float) -> None:
    """Refuse new jobs and finish the running ones."""
    with session.connect() as client:
        drained = client.drain(wait_seconds=wait_seconds)
    session.output.answer(drained, f"draining; jobs still running: {drained.jobs_left}")
