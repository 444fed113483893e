# SPDX-License-Identifier: Apache-2.0
"""`tabard backup`: a whole registry in a folder, while everybody goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from tabard.cli.local.registry import REGISTRY_VARIABLE, library, open_registry, shown_progress
from tabard.cli.output import Output, fields, size
from tabard.cli.session import with_output

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("url", metavar="[URL]", required=False)
@click.argument("folder", metavar="FOLDER", required=False, type=_FOLDER)
@with_output
def backup(output: Output, *, url: str | None, folder: Path | None) -> None:
    """Copy a whole registry into FOLDER, as it is at one record of its log; acts may go on.

    FOLDER is then a registry with the same id and history. Repeat it to go on after an
    interruption, to add what is new, or to mend it. URL left out: $TABARD_REGISTRY.

    \b
    tabard backup s3://styles/team /backup/team
    tabard fsck /backup/team --deep
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if url is None:
        raise click.UsageError("Missing argument 'FOLDER'.")
    if folder is None:
        url, folder = _registry_variable(), Path(url)
    transfer = library("upkeep.transfer", needed_for="tabard backup")
    with (
        open_registry(url, needed_for="tabard backup") as registry,
        shown_progress(output) as progress,
    ):
        done = transfer.export_registry(registry, folder, progress=progress)
    output.answer(done, *transferred_text(done))


def transferred_text(done: Any) -> list[Any]:
    """Say what was copied, from where to where."""
    facts = {
        "registry": done.registry_id,
        "from": done.source,
        "to": done.target,
        "at record": str(done.seq),
        "records": str(done.records),
        "blobs": f"{done.blobs} ({size(done.blob_bytes)})",
        "were damaged": str(done.mended or ""),
        "were there": str(done.present or ""),
    }
    return [fields(facts)]


def _registry_variable() -> str:
    found = os.environ.get(REGISTRY_VARIABLE)
    if not found:
        raise click.UsageError(f"Missing argument 'FOLDER', or the variable {REGISTRY_VARIABLE}.")
    return found
