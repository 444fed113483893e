# SPDX-License-Identifier: Apache-2.0
"""`tabard gc`: what no release needs is told, or deleted."""

from __future__ import annotations

import re
from typing import Any

import click

from tabard.cli.layout import Text
from tabard.cli.local.registry import (
    author,
    library,
    open_registry,
    shown_progress,
    url_argument,
)
from tabard.cli.output import Output, fields, size
from tabard.cli.session import with_output

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AGE = re.compile(r"([0-9]{1,9})([smhd]?)")


def _age_seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    found = _AGE.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"'{value}' is not a time span like 7d, 12h, 30m or 90s.")
    return float(int(found[1]) * _UNITS[found[2]])


@click.command()
@url_argument
@click.option(
    "--run/--dry-run", "is_run", default=False, help="Delete, or only tell, which is the default."
)
@click.option(
    "--min-age",
    metavar="AGE",
    default="7d",
    callback=_age_seconds,
    show_default=True,
    help="Leave alone what is younger: 7d, 12h, 30m, 90s.",
)
@click.option("--reason", default="no release needs it", help="Why; kept in the history.")
@with_output
def gc(output: Output, *, url: str, is_run: bool, min_age: float, reason: str) -> None:
    """Tell what no release needs, or with --run delete it.

    That is blobs of publishes that never ended and of purged releases, old checkpoints, and what
    `tabard doctor` left. Safe while others publish. URL left out: $TABARD_REGISTRY.

    \b
    tabard gc s3://styles/team
    tabard gc s3://styles/team --run --min-age 30d
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    collect = library("upkeep.garbage", needed_for="tabard gc").collect
    with open_registry(url, needed_for="tabard gc") as registry, shown_progress(output) as progress:
        done = collect(
            registry,
            min_age_seconds=min_age,
            dry_run=not is_run,
            author=author(reason),
            progress=progress,
        )
    output.answer(done, *_collected_text(done))


def _collected_text(done: Any) -> list[Any]:
    verb = "would delete" if done.dry_run else "deleted"
    facts = {
        f"{verb} blobs": str(done.blobs),
        f"{verb} leftovers": str(done.leftovers or ""),
        f"{verb} checkpoints": str(done.checkpoints or ""),
        f"{verb} probes": str(done.probes or ""),
        f"{verb} unfinished writes": str(done.swept or ""),
        "bytes": size(done.freed_bytes),
        "too young": str(done.young or ""),
        "needed meanwhile": str(done.spared or ""),
        "records": ", ".join(map(str, done.collections)),
        "finished": ", ".join(map(str, done.finished)),
    }
    if not (done.dry_run and done.keys):
        return [fields(facts)]
    return [*map(Text, done.keys), fields(facts), "nothing was changed; add --run to delete"]
