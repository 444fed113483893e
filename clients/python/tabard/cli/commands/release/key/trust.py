# SPDX-License-Identifier: Apache-2.0
"""`tabard key trust`: whose signatures count in a namespace."""

from __future__ import annotations

import click

from tabard.cli.local.keys import key_document
from tabard.cli.local.registry import author, library, open_registry, registry_option
from tabard.cli.output import Output
from tabard.cli.session import with_output


@click.command()
@click.argument("namespace", metavar="NS")
@click.argument("public_key", metavar="PUBLIC_KEY")
@click.option("--name", required=True, help="Whose key it is.")
@registry_option
@click.option("--reason", default="", help="Why; kept in the history.")
@with_output
def trust(
    output: Output, *, namespace: str, public_key: str, name: str, url: str, reason: str
) -> None:
    """Let a key sign the releases of a namespace."""
    names = library(needed_for="tabard key trust")
    with open_registry(url, needed_for="tabard key trust") as registry:
        given = names.Key(namespace=namespace, public_key=public_key, name=name)
        done = registry.trust_key(given, author=author(reason))
    said = f"{namespace} trusts key {done.subject.id} ({name})"
    already = f"nothing changed, and no reason was taken: {said} already"
    document = {"changed": done.changed, **key_document(done.subject)}
    output.answer(document, said if done.changed else already)
