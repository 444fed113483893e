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


def ask_first(client: Client, ref: str, *, verb: str, output: Output, is_sure: bool) -> None:
    """Show what depends on a release, and ask whether to go on.

    Raises:
        Cancelled: Somebody said no.
        UsageError: Standard input is no terminal, and `--yes` is not said.
    """
    found = client.dependents(ref)
    name = f"{found.release.adapter} {found.release.version}"
    output.say(Text(f"{name} is used by", style="bold"))
    output.say(fields(_concerned(found)))
    if is_sure:
        return
    if not sys.stdin.isatty():
        # Whoever reads JSON was shown nothing before.
        shown = "; ".join(f"{what}: {which}" for what, which in _concerned(found).items())
        used = f" {name}, which is used by {shown}" if output.is_json else ""
        raise click.UsageError(
            f"nobody can be asked here whether to {verb}{used}: add --yes when you are sure"
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
