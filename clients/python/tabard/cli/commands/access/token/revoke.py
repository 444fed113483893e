# SPDX-License-Identifier: Apache-2.0
"""`tabard token revoke`: a token counts no longer."""

from __future__ import annotations

import re

import click

from tabard.cli.commands.access.place import open_keeper, registry_option
from tabard.cli.session import Session, with_session

_SECRET = re.compile(r"tabard_[0-9a-f]{8}_([0-9a-f]{12})_")


@click.command()
@click.argument("token", metavar="TOKEN")
@click.option("--reason", required=True, help="Why; kept with it.")
@registry_option
@with_session
def revoke(session: Session, *, token: str, reason: str, url: str | None) -> None:
    """Revoke a token for good: no server of the registry accepts it, within seconds.

    TOKEN is its id, or the name of one in use. What runs with it ends.
    """
    if secret := _SECRET.match(token):
        raise click.UsageError(f"that is the secret of a token; name it by its id, {secret[1]}")
    with open_keeper(session, url, needed_for="tabard token revoke --registry") as keeper:
        done = keeper.revoke_token(token, reason=reason)
    name = f"token {done.token.id} ({done.token.name})"
    already = (
        f"nothing changed, and the reason was not taken: {name} was revoked already: "
        f"{done.token.revoke_reason}"
    )
    session.output.answer(done, f"{name} is revoked" if done.changed else already)
