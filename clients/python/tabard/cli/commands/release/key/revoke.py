# SPDX-License-Identifier: Apache-2.0
"""`tabard key revoke`: a key's signatures count no longer."""

from __future__ import annotations

import click

from tabard.cli.local.keys import key_document
from tabard.cli.local.registry import author, open_registry, registry_option
from tabard.cli.output import Output
from tabard.cli.session import with_output


@click.command()
@click.argument("namespace", metavar="NS")
@click.argument("key_id", metavar="KEY_ID")
@registry_option
@click.option("--reason", required=True, help="Why; kept in the history.")
@with_output
def revoke(output: Output, *, namespace: str, key_id: str, url: str, reason: str) -> None:
    """Let a key's signatures count no longer, old ones included. There is no way back."""
    with open_registry(url, needed_for="tabard key revoke") as registry:
        done = registry.revoke_key(namespace, key_id=key_id, author=author(reason))
    already = f"nothing changed, and the reason was not taken: {key_id} was revoked already"
    said = f"{namespace} trusts key {key_id} no longer" if done.changed else already
    output.answer({"changed": done.changed, **key_document(done.subject)}, said)
