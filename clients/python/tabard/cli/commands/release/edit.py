# SPDX-License-Identifier: Apache-2.0
"""`tabard edit`: the words of a release, amended by a record."""

from __future__ import annotations

from typing import Any

import click

from tabard.cli import completion
from tabard.cli.choices import Named
from tabard.cli.layout import Text
from tabard.cli.output import fields
from tabard.cli.session import Session, with_session
from tabard.enums import PURPOSES


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option("--notes", help="Free text shown with the release; '' takes it away.")
@click.option("--licence", "--license", help="SPDX id or free text; '' takes it away.")
@click.option("--title", help="What people call it, in any script; '' takes it away.")
@click.option("--purpose", type=Named(PURPOSES), help="Why it exists.")
@click.option(
    "--trigger",
    "trigger_words",
    multiple=True,
    metavar="WORD",
    help="A trigger word, in place of all that there were; repeatable.",
)
@click.option("--no-triggers", is_flag=True, help="Take all trigger words away.")
@click.option("--reason", default="", help="Why; kept in the history.")
@with_session
def edit(
    session: Session,
    *,
    ref: str,
    trigger_words: tuple[str, ...],
    no_triggers: bool,
    reason: str,
    **words: str | None,
) -> None:
    """Amend what is said of a release: notes, licence, title, purpose, trigger words.

    What is shown changes; the release, its digest and every picture stay. Who changed what, when
    and why is in the history.

    \b
    tabard edit acme/watercolor@1.1.0 --licence CC-BY-4.0 --reason "the artist agreed"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if trigger_words and no_triggers:
        raise click.UsageError("--trigger and --no-triggers are opposites: say one of them")
    said: dict[str, Any] = {name: text for name, text in words.items() if text is not None}
    if trigger_words or no_triggers:
        said["trigger_words"] = trigger_words
    if not said:
        raise click.UsageError(
            "say what changes: --notes, --licence, --title, --purpose, --trigger or --no-triggers"
        )
    with session.connect() as client:
        done = client.edit(ref, reason=reason, **said)
    release = done.release
    shown = {name: getattr(release, name) for name in said}
    shown = {
        name.replace("_", " "): text if isinstance(text, str) else ", ".join(text)
        for name, text in shown.items()
    }
    name = f"{release.adapter} {release.version}"
    already = f"nothing changed, and no reason was taken: {name} says already"
    session.output.answer(
        done,
        Text(f"{name} now says", style="bold") if done.changed else already,
        fields({name: text or "(nothing)" for name, text in shown.items()}),
    )
