# SPDX-License-Identifier: Apache-2.0
"""`tabard key list`: the keys that namespaces trust, or trusted once."""

from __future__ import annotations

import click

from tabard.cli.local.keys import key_document
from tabard.cli.local.registry import open_registry, registry_option
from tabard.cli.output import Output, table
from tabard.cli.session import with_output


@click.command(name="list")
@click.argument("namespace", metavar="[NS]", required=False, default="")
@registry_option
@with_output
def list_(output: Output, *, namespace: str, url: str) -> None:
    """Show the keys that namespaces trust, or trusted once, and what they ask for."""
    with open_registry(url, needed_for="tabard key list") as registry:
        state = registry.state
    keys = [one for one in state.keys.values() if namespace in ("", one.namespace)]
    asking = {name for name, one in state.policies.items() if one.require_signature}
    documents = [
        key_document(one) | {"require_signature": one.namespace in asking}
        for one in sorted(keys, key=lambda one: (one.namespace, one.id))
    ]
    rows = [
        (
            one["namespace"],
            one["id"],
            one["name"],
            "revoked" if one["revoked"] else "trusted",
            "required" if one["require_signature"] else "",
            one["public_key"],
        )
        for one in documents
    ]
    found = table("namespace", "key", "name", "standing", "signature", "public key", rows=rows)
    output.answer(documents, found if rows else "no keys")
