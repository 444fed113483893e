# SPDX-License-Identifier: Apache-2.0
"""`tabard review`: a person's word on a release, with the report that they saw."""

from __future__ import annotations

import click

from tabard.cli import completion
from tabard.cli.choices import Named
from tabard.cli.output import fields, short
from tabard.cli.session import Session, with_session
from tabard.enums import DECISIONS, Decision
from tabard.health.review import Reviewed


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.argument("decision", metavar="approve|reject", type=Named(DECISIONS))
@click.option("--note", metavar="TEXT", required=True, help="Why; kept in the history.")
@click.option(
    "--evidence",
    metavar="DIGEST",
    help="The report that you saw; default the newest, which is named in the answer.",
)
@with_session
def review(
    session: Session, *, ref: str, decision: Decision, note: str, evidence: str | None
) -> None:
    """Approve of a release, or reject it; the newest word of a reviewer counts.

    Nobody reviews what they published. When there is a newer report than the one that you saw,
    the review is refused: read that one first.

    \b
    tabard review acme/watercolor@1.1.0 approve --note "paper and edges are right"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        if evidence is None:
            evidence = client.reviews(ref).report_digest
        done = client.review(ref, decision, note=note, evidence=evidence)
    already = "nothing changed: you said so already"
    session.output.answer(done, *([] if done.changed else [already]), fields(_facts(done)))


def _facts(done: Reviewed) -> dict[str, str]:
    return {
        "release": f"{done.adapter} {done.version}",
        "decision": done.review.decision,
        "by": done.review.reviewer,
        "note": done.review.note,
        "report": short(done.review.evidence_digest) or "none",
    }
