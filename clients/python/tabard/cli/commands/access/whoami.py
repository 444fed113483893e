# SPDX-License-Identifier: Apache-2.0
"""`tabard whoami`: who one is to a server."""

from __future__ import annotations

import click

from tabard.access.identity import Identity
from tabard.cli.commands.access.grants_text import grants_text
from tabard.cli.layout import Answer
from tabard.cli.output import fields
from tabard.cli.session import Session, with_session

_PROOFS = {"token": "a token", "jwt": "a token of an issuer", "certificate": "a certificate"}


@click.command()
@with_session
def whoami(session: Session) -> None:
    """Show who you are to the server, and what you may do there."""
    with session.connect() as client:
        found = client.whoami()
    session.output.answer(found, identity_text(found))


def identity_text(found: Identity) -> Answer:
    """Say who somebody is, and what they may do."""
    if not found.proof:
        return "this server asks nobody who they are: everybody may do everything"
    return fields(
        {
            "name": found.name,
            "tenant": found.tenant,
            "shown by": _PROOFS.get(found.proof, found.proof),
            "until": found.expires_at,
            "roles": grants_text(found.grants),
        }
    )
