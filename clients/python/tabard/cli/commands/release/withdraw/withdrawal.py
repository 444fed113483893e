# SPDX-License-Identifier: Apache-2.0
"""The one shape of the commands that withdraw a release or undo that: a ref and a reason."""

from __future__ import annotations

from collections.abc import Callable

import click

from tabard.cli import completion
from tabard.cli.commands.release.withdraw.concerned import ask_first
from tabard.cli.session import Session, together, with_session
from tabard.releases.release import Release

_YES = click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask first.")


def withdrawal(
    verb: Callable[..., Release], *, asks: bool = False
) -> Callable[[Callable[[Release], str]], click.Command]:
    """Make a command of a verb of the client and a function that says what has become of a release.

    The function gives the command its name and its help. One that asks shows first whom it
    concerns.
    """

    def make(say: Callable[[Release], str]) -> click.Command:
        name = say.__name__

        @click.command(name=name, help=say.__doc__)
        @click.argument("ref", metavar="REF", shell_complete=completion.refs)
        @click.option("--reason", required=True, help="Why; kept in the history.")
        @(_YES if asks else together())
        @with_session
        def command(session: Session, *, ref: str, reason: str, is_sure: bool = True) -> None:
            with session.connect() as client:
                if asks:
                    ask_first(client, ref, verb=name, output=session.output, is_sure=is_sure)
                release = verb(client, ref, reason=reason)
            session.output.answer(release, say(release))

        return command

    return make
