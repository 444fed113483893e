# SPDX-License-Identifier: Apache-2.0
"""`tabard check`: whether files would be published, and how they would be worn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tabard.cli import exit_codes
from tabard.cli.commands.publish.options import (
    FILES,
    KIND,
    TRIGGERS,
    uploaded_on,
    with_base_words,
)
from tabard.cli.files.sources import find_files
from tabard.cli.local.check import LocalCheck
from tabard.cli.report_text import report_text
from tabard.cli.session import Session, with_session
from tabard.errors import NOBODY_ANSWERS, Unavailable
from tabard.releases.report import CheckReport


@click.command()
@FILES
@click.option("--base", metavar="demo|PATH|HUB_ID", help="Check here, against this base.")
@with_base_words
@TRIGGERS
@KIND
@with_session
def check(
    session: Session,
    *,
    named: tuple[str, ...],
    base: str | None,
    base_words: dict[str, Any],
    **draft: Any,
) -> None:
    """Say whether a file will work on a base, completely; publish nothing.

    Several files are one adapter, as `tabard publish` takes them: there is one answer.
    With --base it runs here and needs no server; otherwise the server checks against the base it
    serves. Exits 0 when the files would be published and 4 when not.

    \b
    tabard check watercolor.safetensors --base demo
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    files = find_files(named).files
    if base is not None:
        session.output.say(f"reading the base {base} …")
        report = LocalCheck(base, **base_words).report(files, **draft)
    else:
        report = _check_remotely(session, files, **draft)
    names = [path.name for path in files]
    session.output.answer({"files": names, **asdict(report)}, *report_text(report, names=names))
    click.get_current_context().exit(exit_codes.OK if report.accepted else exit_codes.INVALID)


def _check_remotely(session: Session, files: tuple[Path, ...], **draft: Any) -> CheckReport:
    try:
        with session.connect() as client, session.output.progress("uploading", total=1) as bar:
            return client.check(*files, on_progress=uploaded_on(bar), **draft)
    except Unavailable as error:
        if session.names_a_server or error.reason != NOBODY_ANSWERS:
            raise
        hint = "start one: tabard serve; or check here, without one: --base demo|PATH|HUB_ID"
        raise Unavailable(str(error), reason=error.reason, hint=hint) from error
