# SPDX-License-Identifier: Apache-2.0
"""Whom a withdrawal concerns, shown before it happens; then a question, or `--yes`."""

from __future__ import annotations

import sys

import click

from tabard.cli.layout import Text
from tabard.cli.output import Output, fields
from tabard.client import Client
from tabard.releases.findings import Dependents


def refuse_unasked(verb: str, *, is_sure: bool) -> None:
    """Refuse to go on where nobody can be asked and nobody has said yes.

    Raises:
        UsageError: Standard input is no terminal, and `--yes` is not said.
    """
    if not is_sure and not sys.stdin.isatty():
        raise click.UsageError(
            f"nobody can be asked here whether to {verb}: add --yes when you are sure"
        )


def ask_first(client: Client, ref: str, *, verb: str, output: Output, is_sure: bool) -> None:
    """Show what depends on a release, and ask whether to go on.

    Raises:
        Abort: Somebody said no.
    """
    found = client.dependents(ref)
    name = f"{found.release.adapter} {found.release.version}"
    output.say(Text(f"{verb} {name} concerns", style="bold"))
    output.say(fields(_concerned(found)))
    if not is_sure:
        click.confirm(f"{verb} {name}?", abort=True, err=True)


def _concerned(found: Dependents) -> dict[str, str]:
    more = found.recipe_count - len(found.recipes)
    recipes = ", ".join(found.recipes) + (f" and {more} more" if more else "")
    return {
        "channels": ", ".join(found.channels) or "none",
        "recipes": recipes or "none",
        "jobs here": f"{found.job_count} that will be cut off" if found.job_count else "none",
    }
