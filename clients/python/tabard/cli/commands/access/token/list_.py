# SPDX-License-Identifier: Apache-2.0
"""`tabard token list`: the tokens of a registry, without their secrets."""

from __future__ import annotations

import click

from tabard.access.identity import Token
from tabard.cli.commands.access.grants_text import grants_text
from tabard.cli.commands.access.place import open_keeper, registry_option
from tabard.cli.output import table
from tabard.cli.session import Session, with_session


@click.command(name="list")
@click.option("--all", "is_all", is_flag=True, help="Also those that expired or were revoked.")
@registry_option
@with_session
def list_(session: Session, *, is_all: bool, url: str | None) -> None:
    """List tokens: who they are, and what they may do. You see those that you could have made."""
    with open_keeper(session, url, needed_for="tabard token list --registry") as keeper:
        found = keeper.tokens(include_ended=is_all)
    columns = ("token", "name", "tenant", "roles", "made by", "made", "expires", "revoked")
    rows = [_row(one) for one in found]
    session.output.answer(found, table(*columns, rows=rows) if rows else "no tokens")


def _row(one: Token) -> tuple[str, ...]:
    return (
        one.id,
        one.name,
        one.tenant,
        grants_text(one.grants),
        one.created_by,
        one.created_at,
        one.expires_at,
        (one.revoke_reason or "yes") if one.revoked else "",
    )
