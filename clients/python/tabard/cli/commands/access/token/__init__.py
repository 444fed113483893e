# SPDX-License-Identifier: Apache-2.0
"""`tabard token …`: the tokens of a registry, which every server of it accepts."""

import click

from tabard.cli.lazy_group import LazyGroup

COMMANDS = {
    "bootstrap": "Make the first token of a registry, which may do everything; on its machine.",
    "create": "Make a token; its secret is shown once.",
    "list": "List tokens: who they are, and what they may do.",
    "revoke": "Revoke a token for good.",
}


@click.group(cls=LazyGroup, folders=(__name__,))
def token() -> None:
    """Make, list and revoke the tokens of a registry.

    Every command here takes --json.

    \b
    tabard token bootstrap --registry s3://styles/team
    tabard token create ci --role publish --role promote --namespace acme --expires 90d
    tabard token revoke ci --reason "the project has ended"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
