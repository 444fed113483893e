# SPDX-License-Identifier: Apache-2.0
"""The one shape of the commands that withdraw a release or undo that: a ref and a reason."""

from __future__ import annotations

from collections.abc import Callable

import click

from tabard.cli import completion
from tabard.cli.session import Session, with_session
from tabard.releases import Release


def withdrawal(verb: Callable[..., Release]) -> Callable[[Callable[[Release], str]], click.Command]:
    """Make a command of a verb of the client and a function that says what has become of a release.

    The function gives the command its name and its help.
    """

    def make(say: Callable[[Release], str]) -> click.Command:
        @click.command(name=say.__name__, help=say.__doc__)
        @click.argument("ref", metavar="REF", shell_complete=completion.refs)
        @click.option("--reason", required=True, help="Why; kept in the history.")
        @with_session
        def command(session: Session, *, ref: str, reason: str) -> None:
            with session.connect() as client:
                release = verb(client, ref, reason=reason)
            session.output.answer(release, say(release))

        return command

    return make
