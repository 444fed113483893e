# SPDX-License-Identifier: Apache-2.0
"""`tabard grid …`: the prompts and seeds that releases are judged with."""

import click

from tabard.cli.lazy_group import LazyGroup

COMMANDS = {
    "list": "List grids, by place and name.",
    "put": "Give a namespace or a release line a grid; a newer one of its name replaces it.",
    "show": "Show a grid: its prompts and seeds, and how they are drawn.",
}


@click.group(cls=LazyGroup, folders=(__name__,))
def grid() -> None:
    """Keep the grids that releases are judged with.

    Every command here takes --json. A line uses its own grid of a name, else its namespace's, else
    the one that every registry has.

    \b
    tabard grid show style --json > ours.json
    tabard grid put ours.json --for acme/watercolor
    tabard evaluate acme/watercolor@1.1.0 --grid style
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
