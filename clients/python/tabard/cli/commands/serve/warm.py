# SPDX-License-Identifier: Apache-2.0
"""`tabard warm`: a release in memory before anybody asks for it."""

from __future__ import annotations

import click

from tabard.cli import completion
from tabard.cli.output import size
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@with_session
def warm(session: Session, *, ref: str) -> None:
    """Bring a release into memory ahead of its first request."""
    with session.connect() as client:
        resident = client.warm(ref)
    session.output.answer(
        resident,
        f"{resident.adapter} {resident.version} is in {resident.tier} memory, "
        f"{size(resident.bytes)}",
    )
