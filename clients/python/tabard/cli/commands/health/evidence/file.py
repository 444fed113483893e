# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence file`: the review of a release becomes a document of its evidence."""

from __future__ import annotations

import click

from tabard.cli import completion
from tabard.cli.output import short
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option("--reason", default="", help="Why; kept in the history.")
@with_session
def file(session: Session, *, ref: str, reason: str) -> None:
    """Keep the review of a release in its evidence, as it stands: report, reviews, votes.

    It is a page of HTML with the pictures of the newest report, and goes when the release is
    purged. Filed again when nothing was said since, nothing changes.

    \b
    tabard evidence file acme/watercolor@1.1.0
    tabard evidence show acme/watercolor@1.1.0 --kind review --save review/
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        done = client.file_review(ref, reason=reason)
    told = "is filed" if done.created else "was filed before, and nothing was said since"
    session.output.answer(
        done,
        f"{short(done.note.digest)} {told}",
        f"tabard evidence show {ref} --kind review --save FOLDER writes it into a folder",
    )
