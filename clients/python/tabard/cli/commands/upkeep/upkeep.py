# SPDX-License-Identifier: Apache-2.0
"""`tabard fsck`, `gc`, `export` and `checkpoint`: care for a registry where it lies.

They work on the registry itself and need no server; servers may go on meanwhile.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from tabard.cli import exit_codes
from tabard.cli.local.registry import (
    REGISTRY_VARIABLE,
    library,
    opened,
    shown_progress,
    told_as_ours,
    url_argument,
    who_acts,
)
from tabard.cli.output import Output, fields, size
from tabard.cli.session import with_output

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AGE = re.compile(r"([0-9]{1,9})([smhd]?)")
_FOLDER = click.Path(path_type=Path, file_okay=False)
_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


def _age_seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    found = _AGE.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"'{value}' is not a time span like 7d, 12h, 30m or 90s.")
    return float(int(found[1]) * _UNITS[found[2]])


@click.command()
@url_argument
@click.option("--deep", is_flag=True, help="Hash every blob and read every manifest, too.")
@with_output
def fsck(output: Output, *, url: str, deep: bool) -> None:
    """Examine a registry: log, checkpoints, state, blobs, index. Changes nothing.

    Exits 0 when nothing is lost or wrong, though there may be warnings, and 8 when something is.
    URL is s3://bucket/path, file:///path or a folder; left out, $TABARD_REGISTRY.
    """
    examine = library("upkeep.fsck.fsck", needed_for="tabard fsck").check_registry
    with told_as_ours(), shown_progress(output) as progress:
        report = examine(url, deep=deep, progress=progress)
    lines = [_finding_text(finding) for finding in report.findings]
    if report.omitted:
        lines.append(Text(f"and {report.omitted} more"))
    output.answer({**asdict(report), "is_sound": report.is_sound}, *lines, _verdict(report))
    if not report.is_sound:
        click.get_current_context().exit(exit_codes.DAMAGED)


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
    with opened(url, needed_for="tabard gc") as registry, shown_progress(output) as progress:
        done = collect(
            registry,
            min_age_seconds=min_age,
            dry_run=not is_run,
            actor=who_acts(),
            reason=reason,
            progress=progress,
        )
    output.answer(done, *_collected_text(done))


@click.command(name="export")
@click.argument("url", metavar="[URL]")
@click.argument("folder", metavar="FOLDER", required=False, type=_FOLDER)
@with_output
def export_command(output: Output, *, url: str, folder: Path | None) -> None:
    """Copy a whole registry into FOLDER, which is then a registry with the same id and history.

    Repeat it to go on after an interruption, or to add what is new. URL left out:
    $TABARD_REGISTRY.
    """
    if folder is None:
        url, folder = _registry_variable(), Path(url)
    transfer = library("upkeep.transfer", needed_for="tabard export")
    with opened(url, needed_for="tabard export") as registry, shown_progress(output) as progress:
        done = transfer.export_registry(registry, folder, progress=progress)
    output.answer(done, *_transferred_text(done))


def import_registry(output: Output, *, folder: Path, url: str) -> None:
    """Make an empty place into the registry that a folder holds, usually an export.

    Repeated, it goes on after an interruption. A place that holds anything else is refused.
    """
    transfer = library("upkeep.transfer", needed_for="tabard import")
    with told_as_ours(), shown_progress(output) as progress:
        done = transfer.import_registry(folder, url, progress=progress)
    output.answer(done, *_transferred_text(done))


@click.command()
@url_argument
@with_output
def checkpoint(output: Output, *, url: str) -> None:
    """Write down the state, so that opening the registry need not read its whole log.

    Servers do so by themselves. URL left out: $TABARD_REGISTRY.
    """
    with opened(url, needed_for="tabard checkpoint") as registry:
        key = registry.checkpoint()
        seq = registry.seq
    said = f"wrote {key}" if key else f"there is a checkpoint of record {seq} already"
    output.answer({"key": key or "", "seq": seq, "written": key is not None}, said)


def _registry_variable() -> str:
    found = os.environ.get(REGISTRY_VARIABLE)
    if not found:
        raise click.UsageError(f"Missing argument 'FOLDER', or the variable {REGISTRY_VARIABLE}.")
    return found


def _finding_text(finding: Any) -> Text:
    return Text.assemble(
        (f"{finding.severity}: ", _STYLES[finding.severity]),
        f"{finding.key}: {finding.problem}\n  {finding.remedy}",
    )


def _verdict(report: Any) -> Text:
    looked = (
        f"{report.records} records, {report.checkpoints} checkpoints, {report.blobs} blobs "
        f"({size(report.blob_bytes)}){', hashed' if report.deep else ''}"
    )
    if report.is_sound:
        return Text.assemble(("sound", "bold green"), f": {looked}")
    return Text.assemble(("damaged", "bold red"), f": {report.errors} errors; {looked}")


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


def _transferred_text(done: Any) -> list[Any]:
    facts = {
        "registry": done.registry_id,
        "from": done.source,
        "to": done.target,
        "at record": str(done.seq),
        "records": str(done.records),
        "blobs": f"{done.blobs} ({size(done.blob_bytes)})",
        "were there": str(done.present or ""),
    }
    return [fields(facts)]
