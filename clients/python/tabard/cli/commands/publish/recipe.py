# SPDX-License-Identifier: Apache-2.0
"""`tabard recipe`: releases combined into one release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tabard.cli import completion
from tabard.cli.commands.publish.options import with_draft
from tabard.cli.commands.publish.publish import untaken_text
from tabard.cli.commands.publish.sampling_options import read_table, with_sampling
from tabard.cli.layout import Text
from tabard.cli.output import fields, member_table, short
from tabard.cli.session import Session, with_session
from tabard.releases.acts import PublishedRecipe


@click.command()
@click.argument("name", metavar="NS/NAME", shell_complete=completion.names)
@click.argument(
    "members", nargs=-1, required=True, metavar="REF:WEIGHT…", shell_complete=completion.refs
)
@with_draft
@with_sampling
@with_session
def recipe(
    session: Session,
    *,
    name: str,
    members: tuple[str, ...],
    sampling: Path | None,
    sampling_words: tuple[str, ...],
    **draft: Any,
) -> None:
    """Publish a weighted combination of releases, locked to what they are now.

    It is promoted, rolled back and worn like any release; its weight multiplies those of its
    members. A later release of a member changes nothing in it.

    \b
    tabard recipe acme/storybook acme/watercolor@1.0.0:0.7 acme/ink@^1.2:0.4 --version 1.0.0
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    table = read_table(sampling, words=sampling_words)
    with session.connect() as client:
        published = client.publish_recipe(name, members, sampling=table, **draft)
    session.output.answer(published, *_text(published))


def _text(published: PublishedRecipe) -> list[Any]:
    release = published.release
    verb = "published" if published.created else "already published, the same recipe:"
    return [
        Text(f"{verb} {release.adapter} {release.version}", style="bold"),
        fields({"digest": short(release.digest), "triggers": ", ".join(release.trigger_words)}),
        member_table(release.members),
        *untaken_text(release, published.untaken),
        f"next: tabard promote {release.adapter}@{release.version}",
    ]
