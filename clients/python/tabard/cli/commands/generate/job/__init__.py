# SPDX-License-Identifier: Apache-2.0
"""`tabard job …`: jobs that go on by themselves."""

import click

from tabard.cli.lazy_group import LazyGroup

COMMANDS = {
    "list": "List your jobs, the newest first.",
    "show": "Tell how a job stands: its place, its progress, its images.",
    "wait": "Wait for a job, and save its images.",
    "cancel": "End a job; one that is over stays as it is.",
    "retry": "Run a job again that ended without all its images.",
}


@click.group(cls=LazyGroup, folders=(__name__,))
def job() -> None:
    """Look after jobs that go on without their connection.

    Every command here takes --json. A job is yours alone, and kept for a while after its end.

    \b
    tabard generate "a red circle" --adapter acme/watercolor --detach
    tabard job list
    tabard job wait 0f3c… --out images
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
