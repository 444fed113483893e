# SPDX-License-Identifier: Apache-2.0
"""`tabard canary status`: how one canary stands, or all that are open."""

from __future__ import annotations

import click

from tabard.cli import completion
from tabard.cli.commands.health.canary.canary_text import canary_text, row_of
from tabard.cli.output import table
from tabard.cli.session import Session, with_session
from tabard.health.evaluation import PERSON_DECIDES

_COLUMNS = ("adapter", "channel", "candidate", "baseline", "share", "E", "lost", "verdict")


@click.command()
@click.argument("ref", metavar="[REF]", default="", shell_complete=completion.refs)
@with_session
def status(session: Session, *, ref: str) -> None:
    """Tell how canaries stand: evidence, losses, share, verdict.

    With a release: its canary; with a channel (or a plain name, which is @stable): the open one
    there, else the newest. Without: all open ones.

    \b
    tabard canary status
    tabard canary status acme/watercolor@1.1.0
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        if ref:
            found = client.canary(ref)
            session.output.answer(found, *canary_text(found))
            return
        canaries = client.canaries()
    rows = [row_of(one) for one in canaries]
    text = [table(*_COLUMNS, rows=rows), PERSON_DECIDES] if rows else ["no canary is open"]
    session.output.answer(canaries, *text)
