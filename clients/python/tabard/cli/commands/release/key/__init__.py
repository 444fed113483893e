# SPDX-License-Identifier: Apache-2.0
"""`tabard key …`: keys that sign releases, and who trusts them.

Private keys stay in files of their owners; a registry sees only public halves and signatures.
"""

import click

from tabard.cli.lazy_group import LazyGroup

COMMANDS = {
    "list": "Show the keys that namespaces trust, or trusted once, and what they ask for.",
    "new": "Make a key: the private half goes to FILE, which must not exist, the public one is "
    "shown.",
    "revoke": "Let a key's signatures count no longer, old ones included.",
    "trust": "Let a key sign the releases of a namespace.",
}


@click.group(cls=LazyGroup, folders=(__name__,))
def key() -> None:
    """Make keys, and say which of them a namespace trusts.

    Every command here takes --json.

    \b
    tabard key new ann.pem
    tabard key trust acme PUBLIC_KEY --name ann --registry s3://styles/team
    tabard policy set acme --require-signature --registry s3://styles/team
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
