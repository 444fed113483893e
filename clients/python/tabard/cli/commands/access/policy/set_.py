# SPDX-License-Identifier: Apache-2.0
"""`tabard policy set`: change what a namespace asks for."""

from __future__ import annotations

import click

from tabard.cli.commands.access.place import open_keeper, registry_option
from tabard.cli.commands.access.policy.show import policy_facts
from tabard.cli.output import fields
from tabard.cli.session import Session, with_session


@click.command(name="set")
@click.argument("namespace", metavar="NS")
@click.option(
    "--private/--no-private",
    default=None,
    help="Whether it does not exist for those who may not generate with it.",
)
@click.option(
    "--require-identity/--no-require-identity",
    default=None,
    help="Whether acts of authors whom nobody checked have no effect in it.",
)
@click.option(
    "--require-signature/--no-require-signature",
    default=None,
    help="Whether only releases that a trusted key signed are served.",
)
@click.option("--reason", default="", help="Why; kept in the history.")
@registry_option
@with_session
def set_(
    session: Session,
    *,
    namespace: str,
    private: bool | None,
    require_identity: bool | None,
    require_signature: bool | None,
    reason: str,
    url: str | None,
) -> None:
    """Change what a namespace asks for; what is not said stays."""
    if private is None and require_identity is None and require_signature is None:
        raise click.UsageError(
            "say one of --private, --require-identity, --require-signature, or its opposite"
        )
    with open_keeper(session, url, needed_for="tabard policy set --registry") as keeper:
        done = keeper.set_policy(
            namespace,
            private=private,
            require_identity=require_identity,
            require_signature=require_signature,
            reason=reason,
        )
    already = "nothing changed, and no reason was taken: it asks for that already"
    said = [] if done.changed else [already]
    session.output.answer(done, *said, fields(policy_facts(done.policy)))
