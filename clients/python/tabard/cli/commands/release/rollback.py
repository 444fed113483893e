# SPDX-License-Identifier: Apache-2.0
"""`tabard rollback`: what callers got by channel before."""

from __future__ import annotations

import click

from tabard.cli import completion
from tabard.cli.commands.release.promote import CHANNEL, move_text
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("name", metavar="NS/NAME", shell_complete=completion.names)
@CHANNEL
@click.option("--to", default="", metavar="VERSION", help="Return to this version.")
@click.option("--reason", required=True, help="Why; kept in the history.")
@click.option(
    "--expect",
    default="",
    metavar="VERSION|DIGEST",
    help="Move only if the channel points here now.",
)
@with_session
def rollback(
    session: Session, *, name: str, channel: str, to: str, reason: str, expect: str
) -> None:
    """Return a channel to the release before, at once.

    \b
    tabard rollback acme/watercolor --reason "colours drift on dark backgrounds"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    line, at, release = name.partition("@")
    if at:
        raise click.UsageError(
            f"'{name}' is a release: name the adapter, and the release to go back to behind --to, "
            f"as in tabard rollback {line} --to {release}"
        )
    with session.connect() as client:
        move = client.rollback(name, channel=channel, to=to, reason=reason, expect=expect)
    session.output.answer(move, move_text(move))
