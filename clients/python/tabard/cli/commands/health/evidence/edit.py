# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence edit`: people complete what the service drafted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tabard.calls.local_files import first_bytes, unreadable
from tabard.cli import completion
from tabard.cli.commands.health.evidence.changes import assign, editable, is_same, merged
from tabard.cli.output import short
from tabard.cli.session import Session, with_session
from tabard.health.evaluation import PERSON_DECIDES

_BYTES_MAX = 4 << 20


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option(
    "--file",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take what is said from a JSON file: some fields, or a whole report.",
)
@click.option(
    "--set",
    "said",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Say one field, like outcome=… or checks.copyright=clear. Repeatable.",
)
@click.option("--note", default="", help="What you saw, for the checks of --set.")
@click.option("--reason", default="", help="Why; kept in the history.")
@with_session
def edit(
    session: Session, *, ref: str, file: Path | None, said: tuple[str, ...], note: str, reason: str
) -> None:
    """Complete the newest report on a release; what was measured stays.

    Opens $EDITOR on what people complete: goal, prompt record, candidates, technical note, failure
    checks, outcome; with --file or --set it asks nothing. Your name is written beside each failure
    check that you change. The edit is a new document, so reviews are asked for again.

    \b
    tabard evidence edit acme/watercolor@1.1.0
    tabard evidence edit acme/watercolor@1.1.0 --set checks.portrait=clear --note "nobody in it"
    tabard evidence edit acme/watercolor@1.1.0 --set candidates.0.selected=true \\
        --set "candidates.0.why=the cleanest line"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if note and not any(one.startswith("checks.") for one in said):
        raise click.UsageError("--note goes with --set checks.NAME=STATE")
    with session.connect() as client:
        found = client.evidence_document(ref)
        report = found.document
        wanted = _wanted(report, file=file, said=said, note=note)
        if is_same(report, wanted):
            document = {"digest": found.note.digest, "created": False, "report": report}
            session.output.answer(document, "nothing changed")
            return
        done = client.edit_evidence(ref, wanted, digest=found.note.digest, reason=reason)
    document = {
        "digest": done.note.digest,
        "edit_of": found.note.digest,
        "created": done.created,
        "report": done.document,
    }
    text = f"{short(done.note.digest)} is the newest report on {found.adapter} {found.version}"
    asks = "whoever reviewed it before is asked again"
    session.output.answer(document, f"{text}; {asks}", PERSON_DECIDES)


def _wanted(
    report: dict[str, Any], *, file: Path | None, said: tuple[str, ...], note: str
) -> dict[str, Any]:
    part = editable(report)
    if file is not None:
        report = merged(report, _parsed(_read(file), where=str(file)))
        part = editable(report)
    for one in said:
        assign(part, one, note=note)
    if file is None and not said:
        part = _parsed(_in_editor(part), where="what you wrote")
    return merged(report, part)


def _in_editor(part: dict[str, Any]) -> str:
    text = json.dumps(part, indent=2, ensure_ascii=False)
    return click.edit(text, extension=".json") or text


def _read(file: Path) -> str:
    try:
        return first_bytes(file, bytes_max=_BYTES_MAX).decode("utf-8", "replace")
    except OSError as error:
        raise unreadable(file, error) from error


def _parsed(text: str, *, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{where} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise click.UsageError(f"{where} is no JSON object")
    return found
