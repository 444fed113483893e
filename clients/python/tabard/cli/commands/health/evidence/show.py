# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence show`: one document about a release, in words, as JSON, or in a folder."""

from __future__ import annotations

from pathlib import Path

import click

from tabard.cli import completion
from tabard.cli.choices import Named
from tabard.cli.commands.health.evidence.report_text import text_of
from tabard.cli.commands.health.evidence.saving import save
from tabard.cli.session import Session, with_session
from tabard.enums import EVIDENCE_KINDS, EvidenceKind


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.argument("digest", metavar="[DIGEST]", default="")
@click.option("--kind", type=Named(EVIDENCE_KINDS), help="The newest of a kind; default report.")
@click.option(
    "--save",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Also write the document and its pictures there, and the page of a report or review.",
)
@with_session
def show(
    session: Session, *, ref: str, digest: str, kind: EvidenceKind | None, folder: Path | None
) -> None:
    """Show a document about a release: scores, prompts, candidates, checks, verdict.

    The newest report, unless a DIGEST (12 digits of it are enough) or a --kind says otherwise.
    With --json it is the document itself.

    \b
    tabard evidence show acme/watercolor@1.1.0
    tabard evidence show acme/watercolor --kind references --save references/
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        found = client.evidence_document(
            ref, digest=digest, kind=kind or "", with_page=folder is not None
        )
        if folder is not None:
            files = save(client, ref, found=found, folder=folder, output=session.output)
            session.output.say(f"{len(files)} files in {folder}")
    session.output.answer(found.document, *text_of(found))
