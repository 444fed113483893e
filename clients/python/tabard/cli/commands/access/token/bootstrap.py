# SPDX-License-Identifier: Apache-2.0
"""`tabard token bootstrap`: the first token of a registry."""

from __future__ import annotations

import click

from tabard.cli.commands.access.token.create import show_created
from tabard.cli.local.access import open_local_keeper
from tabard.cli.local.registry import registry_option
from tabard.cli.output import Output
from tabard.cli.session import with_output


@click.command()
@click.argument("name", metavar="[NAME]", default="admin")
@registry_option
@with_output
def bootstrap(output: Output, *, name: str, url: str) -> None:
    """Make the first token of a registry, which may do everything; on its machine.

    Refused where a token that may do everything is in use: its owner makes the others. NAME is
    admin when left out.
    """
    with open_local_keeper(url, needed_for="tabard token bootstrap") as keeper:
        created = keeper.bootstrap_token(name)
    show_created(output, created)
