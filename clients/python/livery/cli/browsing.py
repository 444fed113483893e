# SPDX-License-Identifier: Apache-2.0
"""`livery list`, `show`, `history` and `watch`: what there is, and what happened."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import click
from rich.text import Text

from livery.cli.output import fields, short, size, table
from livery.cli.session import Session, with_session
from livery.releases import Action, Adapter, Record, Release


@click.command(name="list")
@with_session
def list_adapters(session: Session) -> None:
    """List all adapters with their channels."""
    with session.connect() as client:
        adapters = client.list()
    rows = [
        (
            adapter.name,
            adapter.releases[0].kind if adapter.releases else "",
            str(len(adapter.releases)),
            _channels(adapter),
        )
        for adapter in adapters
    ]
    text: Any = table("adapter", "kind", "releases", "channels", rows=rows)
    session.output.answer(
        {"adapters": adapters}, text if rows else "nothing is published yet: livery publish --help"
    )


@click.command()
@click.argument("ref", metavar="REF")
@with_session
def show(session: Session, *, ref: str) -> None:
    """Show an adapter (NS/NAME), or one release of it (NS/NAME@CHANNEL, @VERSION, @sha256:…)."""
    with session.connect() as client:
        if "@" in ref:
            release = client.resolve(ref)
            session.output.answer({"release": release}, *_release_text(release))
        else:
            adapter = client.get(ref)
            session.output.answer({"adapter": adapter}, *_adapter_text(adapter))


@click.command()
@click.argument("name", metavar="[NS/NAME]", default="")
@click.option("--channel", default="", help="Only moves of this channel.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@with_session
def history(session: Session, *, name: str, channel: str, limit: int | None) -> None:
    """Show what happened, oldest first: who did what, when and why."""
    with session.connect() as client:
        records = client.history(name, channel=channel, limit=limit or 0)
    rows = [
        (str(record.seq), record.time, record.actor, _act(action), record.reason)
        for record in records
        for action in record.actions
    ]
    text: Any = table("seq", "time", "actor", "what", "reason", rows=rows)
    session.output.answer({"records": records}, text if rows else "nothing happened yet")


@click.command()
@click.option("--from", "from_seq", type=click.IntRange(min=1), help="First record to show.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many records.")
@with_session
def watch(session: Session, *, from_seq: int | None, count: int | None) -> None:
    """Show records as they happen, until interrupted. With --json: one document a line."""
    with session.connect() as client:
        stream = client.watch(from_seq=from_seq or 0)
        with contextlib.closing(stream) as records:
            for record in itertools.islice(records, count):
                session.output.answer_line(record, _record_text(record))


def _channels(adapter: Adapter) -> str:
    return ", ".join(f"{channel.name} → {channel.version}" for channel in adapter.channels)


def _adapter_text(adapter: Adapter) -> list[Any]:
    rows = [
        (
            release.version,
            ", ".join(one.name for one in adapter.channels if one.digest == release.digest),
            release.kind,
            short(release.digest),
            release.published_at,
            release.published_by,
            f"yanked: {release.yank_reason}" if release.yanked else release.notes,
        )
        for release in adapter.releases
    ]
    columns = ("version", "channels", "kind", "digest", "published", "by", "notes")
    return [Text(adapter.name, style="bold"), table(*columns, rows=rows)]


def _release_text(release: Release) -> list[Any]:
    facts = {
        "digest": release.digest,
        "kind": release.kind,
        "purpose": release.purpose,
        "triggers": ", ".join(release.trigger_words),
        "rank": str(release.rank or ""),
        "targets": str(release.target_count),
        "base": f"{release.base_family} {short(release.base_fingerprint)}",
        "dialect": release.dialect,
        "size": size(release.original_bytes),
        "published": f"{release.published_at} by {release.published_by}, seq {release.seq}",
        "licence": release.licence,
        "notes": release.notes,
        "yanked": release.yank_reason if release.yanked else "",
        "training": "\n".join(f"{key}: {value}" for key, value in release.training.items()),
    }
    return [Text(f"{release.adapter} {release.version}", style="bold"), fields(facts)]


def _record_text(record: Record) -> Text:
    acts = "; ".join(map(_act, record.actions))
    why = f" ({record.reason})" if record.reason else ""
    return Text(f"{record.seq}  {record.time}  {record.actor}: {acts}{why}")


def _act(action: Action) -> str:
    where = f" → {action.channel}" if action.channel else ""
    void = "" if action.effective else " (without effect)"
    return f"{action.type} {action.adapter} {action.version}{where}{void}".replace("  ", " ")
