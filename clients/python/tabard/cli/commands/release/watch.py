# SPDX-License-Identifier: Apache-2.0
"""`tabard watch`: what happens now, until interrupted."""

from __future__ import annotations

import contextlib
import itertools

import click

from tabard.cli.commands.release.history import act_text, actor_text
from tabard.cli.layout import Text
from tabard.cli.numbers import Whole
from tabard.cli.session import Session, with_session
from tabard.history import Record


@click.command()
@click.option("--from-seq", "--from", "from_seq", type=Whole(min=1), help="First record to show.")
@click.option("--count", type=Whole(min=1), help="Stop after so many records.")
@with_session
def watch(session: Session, *, from_seq: int | None, count: int | None) -> None:
    """Show records as they happen, until interrupted. With --json: one document a line.

    When the server goes away and comes back, goes on where it was.
    """
    with session.connect() as client:
        stream = client.watch(from_seq=from_seq or 0)
        with contextlib.closing(stream) as records:
            for record in itertools.islice(records, count):
                text = _record_text(record, is_marked=session.shows_identity)
                session.output.answer_line(record, text)


def _record_text(record: Record, *, is_marked: bool) -> Text:
    acts = "; ".join(map(act_text, record.actions))
    who = (actor_text(action, is_marked=is_marked) for action in record.actions)
    actors = ", ".join(dict.fromkeys(who))
    reasons = "; ".join(dict.fromkeys(a.reason for a in record.actions if a.reason))
    why = f" ({reasons})" if reasons else ""
    return Text(f"{record.seq}  {record.time}  {actors}: {acts}{why}")
