# SPDX-License-Identifier: Apache-2.0
"""Whom a withdrawal concerns, shown before it happens; then a question, or `--yes`."""

from __future__ import annotations

import sys

import click

from tabard.cli.exit_codes import SAID_NO
from tabard.cli.layout import Text
from tabard.cli.output import Output, fields
from tabard.client import Client
from tabard.errors import Cancelled
from tabard.releases.findings import Dependents


class NobodyToAsk(click.UsageError):
    """Somebody has to say yes, and nobody sits at the terminal."""

    def __init__(self, message: str, *, found: Dependents) -> None:
        """Take what there was to decide about."""
        super().__init__(message)
        self.document = {"dependents": found}
        """What `--json` says of it beside the error's own fields."""


def ask_first(client: Client, ref: str, *, verb: str, output: Output, is_sure: bool) -> None:
    """Show what depends on a release, and ask whether to go on.

    Raises:
        Cancelled: Somebody said no.
        NobodyToAsk: Standard input is no terminal, and `--yes` is not said.
    """
    found = client.dependents(ref)
    name = f"{found.release.adapter} {found.release.version}"
    output.say(Text(f"{name} is used by", style="bold"))
    output.say(fields(_concerned(found)))
    if is_sure:
        return
    if not sys.stdin.isatty():
        # Whoever reads JSON was shown nothing before.
        raise NobodyToAsk(
            f"nobody can be asked here whether to {verb} {name}: add --yes when you are sure",
            found=found,
        )
    if not click.confirm(f"{verb} {name}?", err=True):
        raise Cancelled(f"you said no: {name} stays as it is", reason=SAID_NO)


def _concerned(found: Dependents) -> dict[str, str]:
    more = found.recipe_count - len(found.recipes)
    recipes = ", ".join(found.recipes) + (f" and {more} more" if more else "")
    return {
        "channels": ", ".join(found.channels) or "none",
        "recipes": recipes or "none",
        "jobs here": f"{found.job_count} that will be cut off" if found.job_count else "none",
    }
