# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence export`: a report as other people's tools read it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import click

from tabard.calls.downloads import refuse_other_file
from tabard.calls.local_files import writing
from tabard.cli import completion
from tabard.cli.local.keys import SigningKey
from tabard.cli.session import Session, with_session
from tabard.health.evaluation import PERSON_DECIDES
from tabard.health.statement import PAYLOAD_TYPE

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.argument("digest", metavar="[DIGEST]", default="")
@click.option("--output", "target", type=_FILE, help="The file; without it, it is shown.")
@click.option("--key", "key_file", type=_FILE, help="Your private key: sign it.")
@click.option("--force", is_flag=True, help="Replace a file that holds something else.")
@with_session
def export(
    session: Session,
    *,
    ref: str,
    digest: str,
    target: Path | None,
    key_file: Path | None,
    force: bool,
) -> None:
    """Write a report as an in-toto statement, signed with your key if you give one.

    An in-toto Statement v1 about the release's digest, with a test result: PASSED, WARNED or FAILED
    for Success, Inconclusive and Failed. Failure checks that nobody looked at are warnings. With
    --key it is the payload of a DSSE envelope, signed with Ed25519 as `tabard sign` signs releases;
    the key never leaves this machine.

    \b
    tabard evidence export acme/watercolor@1.1.0 --output report.intoto.json --key ann.pem
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    key = SigningKey(key_file, needed_for="tabard evidence export --key") if key_file else None
    with session.connect() as client:
        found = client.evidence_document(ref, digest=digest)
    statement = found.statement
    document = statement
    if key is not None:
        document = key.envelope(_written(statement), payload_type=PAYLOAD_TYPE)
    if target is None:
        session.output.answer(document, _written(document).decode())
        return
    _write(target, _written(document), force=force)
    result = statement["predicate"]["result"]
    answer = {
        "file": str(target),
        "result": result,
        "report": found.note.digest,
        "release": found.release_digest,
        "key_id": key.id if key else "",
        "remark": PERSON_DECIDES,
    }
    signed = f", signed by key {key.id}" if key else ", not signed"
    session.output.answer(answer, f"{target}: {result}{signed}", PERSON_DECIDES)


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _write(target: Path, content: bytes, *, force: bool) -> None:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    refuse_other_file(target, digest=digest, overwrite=force)
    with writing(target, hint="name another file"):
        target.write_bytes(content)
