# SPDX-License-Identifier: Apache-2.0
"""`tabard token create`: a new token, whose secret is shown once."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from tabard.access.identity import CreatedToken
from tabard.cli.choices import Named
from tabard.cli.commands.access.grants_text import grants_text
from tabard.cli.commands.access.place import open_keeper, registry_option
from tabard.cli.output import Output, fields
from tabard.cli.session import Session, with_session
from tabard.cli.times import Expiry

ROLES = ("generate", "publish", "promote", "review", "operate", "admin")


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--role", "roles", type=Named(ROLES), multiple=True, required=True, help="What it may do."
)
@click.option(
    "--namespace",
    "namespaces",
    metavar="NS",
    multiple=True,
    required=True,
    help="Where it may do that; '*' for everywhere.",
)
@click.option("--expires", type=Expiry(), metavar="TIME", help="When it ends: 90d, or a day.")
@click.option("--tenant", default="", help="Whose share of a server it uses; default NAME.")
@click.option("--reason", default="", help="Why; kept with it.")
@registry_option
@with_session
def create(
    session: Session,
    *,
    name: str,
    roles: tuple[str, ...],
    namespaces: tuple[str, ...],
    expires: datetime | None,
    tenant: str,
    reason: str,
    url: str | None,
) -> None:
    """Make a token; its secret is shown once.

    NAME is who the token is: the actor of what is done with it. It has every --role in every
    --namespace. Only a hash of the secret is kept: who loses it makes another token. You cannot
    give more than you have.

    \b
    tabard token create ci --role publish --namespace acme --expires 90d > token
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with open_keeper(session, url, needed_for="tabard token create --registry") as keeper:
        created = keeper.create_token(
            name,
            dict.fromkeys(namespaces, roles),
            tenant=tenant,
            expires_at=expires or "",
            reason=reason,
        )
    show_created(session.output, created)


def show_created(output: Output, created: CreatedToken) -> None:
    """Say what a new token is; its secret stands alone on stdout, so that a shell can take it."""
    token = created.token
    facts = {
        "token": token.id,
        "name": token.name,
        "tenant": token.tenant,
        "roles": grants_text(token.grants),
        "expires": token.expires_at or "never",
    }
    output.say(fields(facts))
    output.say("its secret is kept nowhere, and shown only now:")
    output.answer(asdict(token) | {"secret": created.secret}, created.secret)
