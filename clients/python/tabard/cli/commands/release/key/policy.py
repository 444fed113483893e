# SPDX-License-Identifier: Apache-2.0
"""`tabard key policy`: what a namespace asks of the releases it serves."""

from __future__ import annotations

import click

from tabard.cli.local.registry import author, open_registry, registry_option
from tabard.cli.output import Output
from tabard.cli.session import with_output


@click.command()
@click.argument("namespace", metavar="NS")
@click.option(
    "--require-signature/--no-require-signature",
    "require_signature",
    default=None,
    help="Whether only releases that a trusted key signed are served.",
)
@registry_option
@click.option("--reason", default="", help="Why; kept in the history.")
@with_output
def policy(
    output: Output, *, namespace: str, require_signature: bool | None, url: str, reason: str
) -> None:
    """Say whether a namespace serves only signed releases."""
    if require_signature is None:
        raise click.UsageError("Say --require-signature or --no-require-signature.")
    with open_registry(url, needed_for="tabard key policy") as registry:
        said = registry.set_policy(
            namespace, require_signature=require_signature, author=author(reason)
        )
    served = "only signed releases" if require_signature else "every release"
    output.answer(said, f"{namespace} serves {served}")
