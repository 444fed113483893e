# SPDX-License-Identifier: Apache-2.0
"""`tabard promote`: what callers get by channel."""

from __future__ import annotations

import click

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.cli import completion
from tabard.cli.session import Session, with_session
from tabard.releases.acts import ChannelMove

CHANNEL = click.option(
    "--channel",
    default=DEFAULT_CHANNEL,
    show_default=True,
    shell_complete=completion.channels,
    help="The channel to move.",
)


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@CHANNEL
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option(
    "--expect",
    default="",
    metavar="VERSION|DIGEST|none",
    help="Move only if the channel points here now.",
)
@click.option(
    "--override",
    default="",
    metavar="REASON",
    help="Do without the Success or the checks that the policy asks for; never without reviews.",
)
@with_session
def promote(
    session: Session, *, ref: str, channel: str, reason: str, expect: str, override: str
) -> None:
    """Move a channel to a release: the next request by that channel wears it.

    A range or another channel, like @^1.2 or @canary, is pinned to what it means now.

    \b
    tabard promote acme/watercolor@1.1.0 --reason "warmer paper"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        move = client.promote(ref, channel=channel, reason=reason, expect=expect, override=override)
    session.output.answer(move, move_text(move))


def move_text(move: ChannelMove) -> str:
    """Say where a channel was, and where it is."""
    if not move.moved:
        where = f"{move.adapter} {move.channel} is at {move.version} already"
        return f"{where}: nothing moved, and no reason was taken"
    before = move.previous_version or "nothing"
    return f"{move.adapter} {move.channel}: {before} → {move.version} (seq {move.seq})"
