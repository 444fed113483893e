# SPDX-License-Identifier: Apache-2.0
"""`tabard fsck`: whether a registry is whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from tabard.cli import exit_codes
from tabard.cli.layout import Answer, Group, Text
from tabard.cli.local.registry import library, sdk_errors, shown_progress, url_argument
from tabard.cli.output import Output, size
from tabard.cli.session import with_output

_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


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
    with sdk_errors(), shown_progress(output) as progress:
        report = examine(url, deep=deep, progress=progress)
    lines: list[Answer] = [_finding_text(finding) for finding in report.findings]
    if report.omitted:
        lines.append(Text(f"and {report.omitted} more"))
    output.answer({**asdict(report), "is_sound": report.is_sound}, *lines, _conclusion(report))
    if not report.is_sound:
        click.get_current_context().exit(exit_codes.DAMAGED)


def _finding_text(finding: Any) -> Group:
    lead = (f"{finding.severity}: ", _STYLES[finding.severity])
    said = Text.assemble(lead, f"{finding.key}: {finding.problem}")
    return Group(said, Text(f"  {finding.remedy}"))


def _conclusion(report: Any) -> Text:
    looked = (
        f"{_counted(report.records, 'record')}, {_counted(report.checkpoints, 'checkpoint')}, "
        f"{_counted(report.blobs, 'blob')} "
        f"({size(report.blob_bytes)}){', hashed' if report.deep else ''}"
    )
    if report.is_sound:
        return Text.assemble(("sound", "bold green"), f": {looked}")
    return Text.assemble(("damaged", "bold red"), f": {_counted(report.errors, 'error')}; {looked}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
