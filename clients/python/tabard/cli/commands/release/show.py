# SPDX-License-Identifier: Apache-2.0
"""`tabard show`: an adapter, or one of its releases, and how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tabard.cli import completion
from tabard.cli.layout import Text
from tabard.cli.output import fields, member_table, short, size, table
from tabard.cli.session import Session, with_session
from tabard.releases.release import Adapter, Release
from tabard.releases.sampling import sampling_text

if TYPE_CHECKING:
    from tabard import Client


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@with_session
def show(session: Session, *, ref: str) -> None:
    """Show an adapter (NS/NAME), or one release of it (@CHANNEL, @VERSION, @RANGE, @sha256:…).

    Also what nobody is served with any more, and why. A terminal that can (kitty's protocol, or
    iTerm2's) shows the pictures that were drawn of a release when it was published.
    """
    with session.connect() as client:
        if "@" in ref:
            release = client.resolve(ref, include_withdrawn=True)
            session.output.answer({"release": release}, *_release_text(release))
            _show_previews(session, client, release)
        else:
            adapter = client.get(ref)
            session.output.answer({"adapter": adapter}, *_adapter_text(adapter))


def _show_previews(session: Session, client: Client, release: Release) -> None:
    if not (release.previews_digest and session.output.can_show_pictures):
        return
    ref = f"{release.adapter}@{release.version}"
    if release.purged:
        # Its pictures went with it.
        return
    previews = client.evidence_document(ref, digest=release.previews_digest)
    for digest in previews.pictures:
        png = client.evidence_picture(ref, evidence=previews.note.digest, digest=digest)
        session.output.show_picture(png)


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
        "judged as": "" if release.purpose else f"{release.judged_as}, by its kind",
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
        "previews": _previews_text(release),
        "training": "\n".join(f"{key}: {value}" for key, value in release.training.items()),
    }
    title = Text(f"{release.adapter} {release.version}", style="bold")
    members = [member_table(release.members)] if release.members else []
    return [title, fields(facts), *members]


def _previews_text(release: Release) -> str:
    """Say where the pictures of a release are."""
    if not release.previews_digest or release.purged:
        return ""
    ref = f"{release.adapter}@{release.version}"
    how = f"tabard evidence show {ref} --kind previews --save FOLDER"
    return f"{short(release.previews_digest)}; {how}"


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
