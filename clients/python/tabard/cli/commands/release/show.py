# SPDX-License-Identifier: Apache-2.0
"""`tabard show`: an adapter, or one of its releases, and how it stands."""

from __future__ import annotations

from typing import Any

import click

from tabard.cli import completion
from tabard.cli.layout import Text
from tabard.cli.output import fields, member_table, short, size, table
from tabard.cli.session import Session, with_session
from tabard.releases.release import Adapter, Release
from tabard.releases.sampling import sampling_text


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@with_session
def show(session: Session, *, ref: str) -> None:
    """Show an adapter (NS/NAME), or one release of it (@CHANNEL, @VERSION, @RANGE, @sha256:…).

    Also what nobody is served with any more, and why.
    """
    with session.connect() as client:
        if "@" in ref:
            release = client.resolve(ref, include_withdrawn=True)
            session.output.answer({"release": release}, *_release_text(release))
        else:
            adapter = client.get(ref)
            session.output.answer({"adapter": adapter}, *_adapter_text(adapter))


def _adapter_text(adapter: Adapter) -> list[Any]:
    rows = [
        (
            release.version,
            ", ".join(one.name for one in adapter.channels if one.digest == release.digest),
            release.kind,
            short(release.digest),
            release.published_at,
            release.published_by,
            ", ".join(release.trigger_words),
            release.licence,
            release.notes,
            _standing(release),
        )
        for release in adapter.releases
    ]
    columns = ("version", "channels", "kind", "digest", "published", "by")
    words = ("triggers", "licence", "notes", "standing")
    return [Text(adapter.name, style="bold"), table(*columns, *words, rows=rows)]


def _release_text(release: Release) -> list[Any]:
    facts = {
        "title": release.title,
        "digest": release.digest,
        "kind": release.kind,
        "purpose": release.purpose,
        "triggers": ", ".join(release.trigger_words),
        "sampling": sampling_text(release.sampling),
        "rank": str(release.rank or ""),
        "targets": "" if release.members else str(release.target_count),
        "base": f"{release.base_family} {short(release.base_fingerprint)}",
        "dialect": release.dialect,
        "size": "" if release.members else size(release.original_bytes),
        "published": f"{release.published_at} by {release.published_by}, seq {release.seq}",
        "licence": release.licence,
        "notes": release.notes,
        "why": release.publish_reason,
        "standing": _standing(release),
        "signed": ", ".join(f"key {one.key_id}" for one in release.signatures),
        "training": "\n".join(f"{key}: {value}" for key, value in release.training.items()),
    }
    title = Text(f"{release.adapter} {release.version}", style="bold")
    members = [member_table(release.members)] if release.members else []
    return [title, fields(facts), *members]


def _standing(release: Release) -> str:
    """Say what is held against a release; empty when nothing is."""
    told = (
        ("yanked", release.yanked, release.yank_reason),
        ("quarantined", release.quarantined, release.quarantine_reason),
        ("purged", release.purged, release.purge_reason),
    )
    flags = [f"{word}: {why}" for word, is_so, why in told if is_so]
    if release.troubled_members:
        flags.append(f"uses withdrawn {', '.join(release.troubled_members)}")
    return "; ".join(flags)
