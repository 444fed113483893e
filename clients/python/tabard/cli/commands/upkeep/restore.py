# SPDX-License-Identifier: Apache-2.0
"""`tabard restore`: a place becomes, or is mended to be, the registry that a folder holds."""

from __future__ import annotations

from pathlib import Path

import click

from tabard.cli.commands.upkeep.backup import transferred_text
from tabard.cli.local.registry import library, sdk_errors, shown_progress, url_argument
from tabard.cli.output import Output
from tabard.cli.session import with_output

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command()
@click.argument("folder", metavar="FOLDER", type=_FOLDER)
@url_argument
@with_output
def restore(output: Output, *, folder: Path, url: str) -> None:
    """Make the place URL into the registry that FOLDER holds, with its id and history.

    Every blob is hashed on the way. In a place that is this registry already, missing records and
    lost or damaged blobs are brought back. A place that is ahead, or holds anything else, is
    refused. Repeat it to go on after an interruption. URL left out: $TABARD_REGISTRY.

    \b
    tabard restore /backup/team s3://styles/again
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    transfer = library("upkeep.transfer", needed_for="tabard restore")
    with sdk_errors(), shown_progress(output) as progress:
        done = transfer.import_registry(folder, url, progress=progress)
    output.answer(done, *transferred_text(done))
