# SPDX-License-Identifier: Apache-2.0
"""`tabard list`: the adapters that there are."""

from __future__ import annotations

from typing import Any

import click

from tabard.cli.output import table
from tabard.cli.session import Session, with_session
from tabard.releases.release import Adapter, Release


@click.command(name="list")
@with_session
def list_(session: Session) -> None:
    """List all adapters with their channels.

    A channel that points to a withdrawn release, which nobody gets by it, is marked: (yanked!). So
    is a recipe of which a member was withdrawn: (member withdrawn!).
    """
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
        {"adapters": adapters}, text if rows else "nothing is published yet: tabard publish --help"
    )


def _channels(adapter: Adapter) -> str:
    releases = {one.digest: one for one in adapter.releases}
    told = [(channel, releases.get(channel.digest)) for channel in adapter.channels]
    return ", ".join(
        f"{channel.name} → {channel.version}{_withdrawn(release)}" for channel, release in told
    )


def _withdrawn(release: Release | None) -> str:
    """Say that nobody gets a release by its channel, and why."""
    words = ("purged", "quarantined", "yanked")
    found = next((word for word in words if release is not None and getattr(release, word)), "")
    if not found and release is not None and release.troubled_members:
        found = "member withdrawn"
    return f" ({found}!)" if found else ""
