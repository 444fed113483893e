# SPDX-License-Identifier: Apache-2.0
"""`tabard checkpoint`: the state of a registry, written down."""

from __future__ import annotations

import click

from tabard.cli.local.registry import open_registry, url_argument
from tabard.cli.output import Output
from tabard.cli.session import with_output


@click.command()
@url_argument
@with_output
def checkpoint(output: Output, *, url: str) -> None:
    """Write down the state, so that opening the registry need not read its whole log.

    Servers do so by themselves. URL left out: $TABARD_REGISTRY.
    """
    with open_registry(url, needed_for="tabard checkpoint") as registry:
        key = registry.checkpoint()
        seq = registry.seq
    said = f"wrote {key}" if key else f"there is a checkpoint of record {seq} already"
    output.answer({"key": key or "", "seq": seq, "written": key is not None}, said)
