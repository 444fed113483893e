# SPDX-License-Identifier: Apache-2.0
"""`tabard history`: what happened, and who served what at some time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from tabard.cli import completion
from tabard.cli.numbers import Whole
from tabard.cli.output import short, table
from tabard.cli.session import Session, with_session
from tabard.cli.times import Time
from tabard.history import Action, Serving

_TIME = "TIME"


@click.command()
@click.argument("name", metavar="[NS/NAME]", default="", shell_complete=completion.names)
@click.option(
    "--channel",
    default="",
    shell_complete=completion.channels,
    help="Only moves of this channel.",
)
@click.option("--since", type=Time(), metavar=_TIME, help="Only at this time or later.")
@click.option(
    "--until", type=Time(is_end=True), metavar=_TIME, help="Only at this time or earlier."
)
@click.option("--at", type=Time(), metavar=_TIME, help="Show what was served then, and why.")
@click.option("--limit", type=Whole(min=1), help="Only the newest so many.")
@with_session
def history(
    session: Session,
    *,
    name: str,
    channel: str,
    since: datetime | None,
    until: datetime | None,
    at: datetime | None,
    limit: int | None,
) -> None:
    """Show what happened, oldest first: who did what, when and why.

    A TIME is 30m, 1h, 3d or 2w ago, yesterday, a day like 2026-11-28, or 2026-11-23T12:00:00Z. A
    day is its beginning, behind --until its end. What names no offset is the time here.

    \b
    tabard history acme/watercolor --channel stable --since yesterday
    tabard history --at 2026-11-23T12:00:00Z
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if at is not None and (since or until):
        raise click.UsageError("--at is one moment: leave --since and --until out")
    if since and until and since > until:
        raise click.UsageError("--since is later than --until: nothing can be between them")
    if at is not None:
        _show_served(session, at=at, name=name, channel=channel, limit=limit or 0)
        return
    with session.connect() as client:
        records = client.history(
            name, channel=channel, since=since or "", until=until or "", limit=limit or 0
        )
    acts = [action for record in records for action in record.actions]
    is_marked = session.shows_identity or any(action.proof for action in acts)
    rows = [
        (
            str(record.seq),
            record.time,
            actor_text(action, is_marked=is_marked),
            act_text(action),
            action.reason,
        )
        for record in records
        for action in record.actions
    ]
    text: Any = table("seq", "time", "actor", "what", "reason", rows=rows)
    session.output.answer({"records": records}, text if rows else "nothing like that has happened")


def actor_text(action: Action, *, is_marked: bool) -> str:
    """Say who did an act: whom they did it for, or, where it matters, that nobody checked."""
    if not action.proof:
        return f"{action.actor} (unauthenticated)" if is_marked else action.actor
    return f"{action.actor} (for {action.on_behalf_of})" if action.on_behalf_of else action.actor


def act_text(action: Action) -> str:
    """Say what one act did, or that it did nothing, and why."""
    where = f" → {action.channel}" if action.channel else ""
    note = f": {action.note}" if action.note else ""
    told = f" ({action.note})" if action.note else ""
    void = told if action.effective else f" (without effect{note})"
    return f"{action.type} {action.adapter} {action.version}{where}{void}".replace("  ", " ")


def _show_served(session: Session, *, at: datetime, name: str, channel: str, limit: int) -> None:
    with session.connect() as client:
        served = client.served_at(at, name=name, channel=channel, limit=limit)
    columns = ("adapter", "channel", "version", "digest", "since", "seq", "by", "why")
    text: Any = table(*columns, rows=[_serving_row(one) for one in served.servings])
    more = ["there is more: name an adapter or a channel"] if served.is_truncated else []
    session.output.answer(served, text if served.servings else "nothing was served then", *more)


def _serving_row(serving: Serving) -> tuple[str, ...]:
    act = serving.since.actions[0]
    return (
        serving.adapter,
        serving.channel,
        serving.release.version,
        short(serving.release.digest),
        serving.since.time,
        str(serving.since.seq),
        f"{act.actor} ({act.type})",
        act.reason,
    )
