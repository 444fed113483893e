# SPDX-License-Identifier: Apache-2.0
"""The one shape of the commands that withdraw a release or undo that: a ref and a reason."""

from __future__ import annotations

from collections.abc import Callable

import click

from tabard.cli import completion
from tabard.cli.commands.release.withdraw.concerned import ask_first
from tabard.cli.session import Session, together, with_session
from tabard.releases.acts import ReleaseChange
from tabard.releases.release import Release

_YES = click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask first.")


def withdrawal(
    verb: Callable[..., ReleaseChange],
    *,
    already: Callable[[Release], str],
    asks: bool = False,
    undoes: bool = False,
) -> Callable[[Callable[[Release], str]], click.Command]:
    """Make a command of a verb of the client and a function that says what has become of a release.

    The function gives the command its name and its help; another says how a release is that was so
    already. A command that asks shows first whom it concerns. Every answer says which channels
    point to the release: they are moved by nothing but `promote` and `rollback`.
    """

    def make(say: Callable[[Release], str]) -> click.Command:
        name = say.__name__

        def unchanged(done: ReleaseChange) -> str:
            found = done.release
            return (
                f"nothing changed, and the reason was not taken: {found.adapter} {found.version} "
                f"{already(found)}"
            )

        @click.command(name=name, help=say.__doc__)
        @click.argument("ref", metavar="REF", shell_complete=completion.refs)
        @click.option("--reason", required=True, help="Why; kept in the history.")
        @(_YES if asks else together())
        @with_session
        def command(session: Session, *, ref: str, reason: str, is_sure: bool = True) -> None:
            with session.connect() as client:
                if asks:
                    ask_first(client, ref, verb=name, output=session.output, is_sure=is_sure)
                done = verb(client, ref, reason=reason)
            said = say(done.release) if done.changed else unchanged(done)
            session.output.answer(done, said, _pointing_text(done, undoes=undoes))

        return command

    return make


def _pointing_text(done: ReleaseChange, *, undoes: bool) -> str:
    if not done.channels:
        return "no channel points to it"
    point = f"{', '.join(done.channels)} {'points' if len(done.channels) == 1 else 'point'} to it"
    if done.release.state == "live":
        return f"{point}: who asks by channel gets it again" if undoes else point
    return (
        f"{point} still, and whoever asks by channel is refused: "
        f"tabard rollback {done.release.adapter} --channel {done.channels[0]} --reason …"
    )
