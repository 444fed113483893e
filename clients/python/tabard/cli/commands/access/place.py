# SPDX-License-Identifier: Apache-2.0
"""Where the commands of this folder work: at a server, or on a registry that is at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from tabard.cli.local.access import Keeper, open_local_keeper
from tabard.cli.local.registry import REGISTRY_VARIABLE
from tabard.cli.session import Session

registry_option = click.option(
    "--registry",
    "url",
    metavar="URL",
    help="Work on this registry itself, without a server; nobody asks who you are then.",
)


@contextmanager
def open_keeper(session: Session, url: str | None, *, needed_for: str) -> Iterator[Keeper]:
    """Open the registry at a URL; without one, the server that a command names.

    Where no server is named, a registry may be, by a variable.
    """
    if url is None and not session.names_a_server:
        url = os.environ.get(REGISTRY_VARIABLE)
    if url:
        with open_local_keeper(url, needed_for=needed_for) as keeper:
            yield keeper
        return
    with session.connect() as client:
        yield client
