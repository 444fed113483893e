# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence list`: which documents there are about a release."""

from __future__ import annotations

import click

from tabard.cli import completion
from tabard.cli.choices import Named
from tabard.cli.output import short, table
from tabard.cli.session import Session, with_session
from tabard.enums import EVIDENCE_KINDS, EvidenceKind
from tabard.health.evidence import EvidenceNote


@click.command(name="list")
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option("--kind", type=Named(EVIDENCE_KINDS), help="Only those of a kind.")
@with_session
def list_(session: Session, *, ref: str, kind: EvidenceKind | None) -> None:
    """List the documents about a release, newest first."""
    with session.connect() as client:
        found = client.evidence(ref, kind=kind or "")
    rows = [_row(one) for one in found]
    columns = ("document", "kind", "verdict", "checks", "by", "when")
    session.output.answer(found, table(*columns, rows=rows) if rows else "no evidence")


def _row(one: EvidenceNote) -> tuple[str, ...]:
    by = f"{one.actor} ({one.on_behalf_of})" if one.on_behalf_of else one.actor
    return (short(one.digest), one.kind, one.verdict, _checks(one), by, one.time)


def _checks(one: EvidenceNote) -> str:
    """Say how many checks stand how; what nobody looked at is said, too."""
    states = list(one.checks.values())
    counts = {state: states.count(state) for state in ("flagged", "not_checked", "clear")}
    return ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in counts.items() if n)
