# SPDX-License-Identifier: Apache-2.0
"""`tabard history` and `watch`: what happened, who served what at some time, what happens now."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import click
from rich.text import Text

from tabard.cli.output import short, table
from tabard.cli.session import Session, with_session
from tabard.history import Action, Record, Serving

_TIME = "TIME"


@click.command()
@click.argument("name", metavar="[NS/NAME]", default="")
@click.option("--channel", default="", help="Only moves of this channel.")
@click.option("--since", default="", metavar=_TIME, help="Only at this time or later.")
@click.option("--until", default="", metavar=_TIME, help="Only at this time or earlier.")
@click.option("--at", default="", metavar=_TIME, help="Show what was served then, and why.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@with_session
def history(
    session: Session,
    *,
    name: str,
    channel: str,
    since: str,
    until: str,
    at: str,
    limit: int | None,
) -> None:
    """Show what happened, oldest first: who did what, when and why.

    A TIME is written with its offset, like 2026-11-23T12:00:00Z or 2026-11-23T13:00:00+01:00.

    \b
    tabard history acme/watercolor --channel stable --since 2026-11-01T00:00:00Z
    tabard history --at 2026-11-23T12:00:00Z
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if at and (since or until):
        raise click.UsageError("--at is one moment: leave --since and --until out")
    if at:
        _show_served(session, at=at, name=name, channel=channel, limit=limit or 0)
        return
    with session.connect() as client:
        records = client.history(name, channel=channel, since=since, until=until, limit=limit or 0)
    rows = [
        (str(record.seq), record.time, action.actor, _act(action), action.reason)
        for record in records
        for action in record.actions
    ]
    text: Any = table("seq", "time", "actor", "what", "reason", rows=rows)
    session.output.answer({"records": records}, text if rows else "nothing happened yet")


@click.command()
@click.option(
    "--from-seq", "--from", "from_seq", type=click.IntRange(min=1), help="First record to show."
)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many records.")
@with_session
def watch(session: Session, *, from_seq: int | None, count: int | None) -> None:
    """Show records as they happen, until interrupted. With --json: one document a line.

    When the server goes away and comes back, goes on where it was.
    """
    with session.connect() as client:
        stream = client.watch(from_seq=from_seq or 0)
        with contextlib.closing(stream) as records:
            for record in itertools.islice(records, count):
                session.output.answer_line(record, _record_text(record))


def _show_served(session: Session, *, at: str, name: str, channel: str, limit: int) -> None:
    with session.connect() as client:
        served = client.served_at(at, name=name, channel=channel, limit=limit)
    text: Any = table(
        "adapter",
        "channel",
        "version",
        "digest",
        "since",
        "seq",
        "by",
        "why",
        rows=[_serving_row(one) for one in served.servings],
    )
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


def _record_text(record: Record) -> Text:
    acts = "; ".join(map(_act, record.actions))
    actors = ", ".join(dict.fromkeys(action.actor for action in record.actions))
    reasons = "; ".join(dict.fromkeys(a.reason for a in record.actions if a.reason))
    why = f" ({reasons})" if reasons else ""
    return Text(f"{record.seq}  {record.time}  {actors}: {acts}{why}")


def _act(action: Action) -> str:
    where = f" → {action.channel}" if action.channel else ""
    note = f": {action.note}" if action.note else ""
    void = "" if action.effective else f" (without effect{note})"
    return f"{action.type} {action.adapter} {action.version}{where}{void}".replace("  ", " ")
