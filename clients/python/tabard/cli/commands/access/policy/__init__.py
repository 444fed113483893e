# SPDX-License-Identifier: Apache-2.0
"""`tabard policy …`: what namespaces ask for."""

import click

from tabard.cli.lazy_group import LazyGroup

COMMANDS = {
    "explain": "Say what a release lacks before a channel may point to it, and who can give it.",
    "set": "Change what a namespace asks for; what is not said stays.",
    "show": "Show what a namespace asks for.",
}


@click.group(cls=LazyGroup, folders=(__name__,))
def policy() -> None:
    """Say what a namespace asks for: privacy, identity, signatures, promotions.

    Every command here takes --json.

    \b
    tabard policy set acme --private --require-identity --reason "client work"
    tabard policy set acme --require-signature --registry s3://styles/team
    tabard policy set acme --channel stable --require-success --reviews 1
    tabard policy explain acme/watercolor@1.1.0
    tabard policy show acme
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
