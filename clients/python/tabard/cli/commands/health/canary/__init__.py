# SPDX-License-Identifier: Apache-2.0
"""`tabard canary …`: a release is tried beside what a channel serves."""

import click

from tabard.cli.lazy_group import LazyGroup

COMMANDS = {
    "start": "Try a release beside what a channel serves, or served before it.",
    "status": "Tell how canaries stand: evidence, losses, share, verdict.",
    "stop": "Stop a canary: everybody is served what the channel points to.",
}


@click.group(cls=LazyGroup, folders=(__name__,))
def canary() -> None:
    """Try a release beside what a channel serves, and take it back if it is worse.

    Every command here takes --json. Scores inform; a person decides, and may roll back at any time.

    \b
    tabard canary start acme/watercolor@1.1.0 --share 5%
    tabard canary status acme/watercolor
    tabard canary stop acme/watercolor --reason "enough seen"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
