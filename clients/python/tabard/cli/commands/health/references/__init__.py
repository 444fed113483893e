# SPDX-License-Identifier: Apache-2.0
"""`tabard references …`: pictures beside releases, which their successors are compared with."""

import click

from tabard.cli.lazy_group import LazyGroup

COMMANDS = {
    "publish": "Keep pictures beside a release; they stand for its successors, too.",
}


@click.group(cls=LazyGroup, folders=(__name__,))
def references() -> None:
    """Keep pictures of what releases shall look like, or were trained on.

    Every command here takes --json. `tabard evidence list` lists what is kept.

    \b
    tabard references publish acme/watercolor@1.0.0 pictures/
    tabard references publish acme/watercolor@1.0.0 dataset/ --training --embeddings-only
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
