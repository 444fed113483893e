# SPDX-License-Identifier: Apache-2.0
"""`tabard key policy`: what a namespace asks of the releases it serves."""

from __future__ import annotations

import click

from tabard.cli.local.registry import library, open_registry, registry_option, who_acts
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
    signing = library("trust.keyring", needed_for="tabard key policy")
    with open_registry(url, needed_for="tabard key policy") as registry:
        said = signing.set_policy(
            registry,
            namespace,
            require_signature=require_signature,
            actor=who_acts(),
            reason=reason,
        )
    served = "only signed releases" if require_signature else "every release"
    output.answer(said, f"{namespace} serves {served}")
