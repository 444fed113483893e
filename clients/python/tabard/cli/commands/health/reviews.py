# SPDX-License-Identifier: Apache-2.0
"""`tabard reviews`: what people decided about a release, and how the blind votes stand."""

from __future__ import annotations

import click

from tabard.cli import completion
from tabard.cli.layout import Answer
from tabard.cli.output import fields, short, table
from tabard.cli.session import Session, with_session
from tabard.health.review import Reviews


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@with_session
def reviews(session: Session, *, ref: str) -> None:
    """Show what people decided about a release, and how the blind votes stand.

    \b
    tabard reviews acme/watercolor@1.1.0
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        found = client.reviews(ref)
    session.output.answer(found, *_text(found))


def _text(found: Reviews) -> list[Answer]:
    report = f"{short(found.report_digest)}: {found.report_verdict}"
    votes = (
        *(found.votes_for_candidate, found.votes_for_baseline),
        *(found.votes_tied, found.votes_both_bad),
    )
    facts = {
        "release": f"{found.adapter} {found.version}",
        "newest report": report if found.report_digest else "none",
        "blind votes": "{} for it, {} for what it replaces, {} tied, {} both bad".format(*votes),
    }
    if found.labels:
        facts["labels"] = ", ".join(
            f"{name} {ours} of it, {theirs} of what it replaces"
            for name, (ours, theirs) in found.labels.items()
        )
    if not found.reviews:
        return [fields(facts), "nobody has reviewed it"]
    rows = [
        (
            one.reviewer,
            one.decision if one.is_current else f"{one.decision}, of an older report",
            one.note,
            one.time,
        )
        for one in found.reviews
    ]
    return [fields(facts), table("reviewer", "decision", "note", "when", rows=rows)]
