# SPDX-License-Identifier: Apache-2.0
"""`tabard promote` and `rollback`: what callers get by channel."""

from __future__ import annotations

import click

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.cli.session import Session, with_session
from tabard.releases import ChannelMove

_CHANNEL = click.option(
    "--channel", default=DEFAULT_CHANNEL, show_default=True, help="The channel to move."
)
_WHY = click.option("--reason", required=True, help="Why; kept in the history.")


@click.command()
@click.argument("ref", metavar="REF")
@_CHANNEL
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option(
    "--expect", default="", metavar="DIGEST|none", help="Move only if the channel points here now."
)
@with_session
def promote(session: Session, *, ref: str, channel: str, reason: str, expect: str) -> None:
    """Move a channel to a release: the next request by that channel wears it.

    A range or another channel, like @^1.2 or @canary, is pinned to what it means now.

    \b
    tabard promote acme/watercolor@1.1.0 --reason "warmer paper"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        move = client.promote(ref, channel=channel, reason=reason, expect=expect)
    session.output.answer(move, _move_text(move))


@click.command()
@click.argument("name", metavar="NS/NAME")
@_CHANNEL
@click.option("--to", default="", metavar="VERSION", help="Return to this version.")
@_WHY
@click.option(
    "--expect", default="", metavar="DIGEST", help="Move only if the channel points here now."
)
@with_session
def rollback(
    session: Session, *, name: str, channel: str, to: str, reason: str, expect: str
) -> None:
    """Return a channel to the release before, at once.

    \b
    tabard rollback acme/watercolor --reason "colours drift on dark backgrounds"
    """  # noqa: D301 - as above
    with session.connect() as client:
        move = client.rollback(name, channel=channel, to=to, reason=reason, expect=expect)
    session.output.answer(move, _move_text(move))


def _move_text(move: ChannelMove) -> str:
    if not move.moved:
        return f"{move.adapter} {move.channel} is at {move.version} already; nothing moved"
    before = move.previous_version or "nothing"
    return f"{move.adapter} {move.channel}: {before} → {move.version} (seq {move.seq})"
