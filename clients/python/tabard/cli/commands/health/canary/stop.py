# SPDX-License-Identifier: Apache-2.0
"""`tabard canary stop`: a person ends a canary."""

from __future__ import annotations

import click

from tabard.cli import completion
from tabard.cli.commands.health.canary.canary_text import canary_text
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option("--reason", required=True, help="Why; kept in the history.")
@with_session
def stop(session: Session, *, ref: str, reason: str) -> None:
    """Stop a canary: everybody is served what the channel points to.

    The release cannot have another canary: publish it as a new version. To take back what a
    channel points to, roll it back: that stops its canary, too.

    \b
    tabard canary stop acme/watercolor --reason "enough seen"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        found = client.stop_canary(ref, reason=reason)
    session.output.answer(found, *canary_text(found))
