# SPDX-License-Identifier: Apache-2.0
"""`tabard references publish`: a folder of pictures beside a release."""

from __future__ import annotations

from pathlib import Path

import click

from tabard.cli import completion
from tabard.cli.output import Output, short
from tabard.cli.session import Session, with_session
from tabard.client import Client
from tabard.health.evidence import PublishedReferences


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--training", "is_training", is_flag=True, help="It was trained on them.")
@click.option(
    "--embeddings-only", is_flag=True, help="Keep what the server's encoders say, and no picture."
)
@click.option("--reason", default="", help="Why; kept in the history.")
@with_session
def publish(
    session: Session,
    *,
    ref: str,
    folder: Path,
    is_training: bool,
    embeddings_only: bool,
    reason: str,
) -> None:
    """Keep pictures beside a release; they stand for its successors, too.

    DIR holds PNG, JPEG or WebP files, 4 different ones at least. They are kept as PNGs without
    metadata, no side longer than 512 pixels; whoever may generate with the release may see them.
    Contact sheets that Tabard drew into DIR are left out.
    """
    with session.connect() as client:
        done = send(
            client,
            session.output,
            ref,
            folder=folder,
            is_training=is_training,
            embeddings_only=embeddings_only,
            reason=reason,
        )
    session.output.answer(done, references_text(done))


def send(
    client: Client,
    output: Output,
    ref: str,
    *,
    folder: Path,
    is_training: bool,
    embeddings_only: bool = False,
    reason: str = "",
) -> PublishedReferences:
    """Publish a folder of pictures beside a release, and show how far that is."""
    with output.progress("pictures", total=1) as bar:
        return client.publish_references(
            ref,
            folder,
            training=is_training,
            embeddings_only=embeddings_only,
            reason=reason,
            on_progress=lambda sent, total: bar.set(sent, total=total),
        )


def references_text(done: PublishedReferences) -> str:
    """Say what is kept."""
    what = "training pictures" if done.note.kind == "training" else "references"
    said = f"{done.picture_count} {what}: {short(done.note.digest)}"
    return said if done.created else f"nothing changed: {said}"
