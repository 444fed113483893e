# SPDX-License-Identifier: Apache-2.0
"""A job as people read it, and as JSON. In: its status. Out: a document, and lines of text."""

from __future__ import annotations

import dataclasses
from typing import Any

from tabard.cli.output import fields, size, table
from tabard.jobs.status import JobStatus

COLUMNS = ("job", "state", "images", "accepted", "wears")


def document_of(status: JobStatus) -> dict[str, Any]:
    """Give what `--json` prints of a job."""
    told = {one.name: getattr(status, one.name) for one in dataclasses.fields(status)}
    failure = status.failure
    told["failure"] = failure and {
        "reason": failure.reason,
        "message": str(failure),
        "hint": failure.hint,
        "retry_after_seconds": failure.retry_after_seconds,
    }
    return told


def row_of(status: JobStatus) -> tuple[str, ...]:
    """Give a job as a row of `COLUMNS`."""
    return (
        status.job_id,
        status.state,
        f"{len(status.images)} of {len(status.accepted.seeds)}",
        status.created_at,
        _worn(status),
    )


def text_of(status: JobStatus) -> list[Any]:
    """Give a job as lines."""
    facts = {
        "job": status.job_id,
        "state": status.state,
        "accepted": status.created_at,
        "wears": _worn(status),
    }
    if status.state == "waiting":
        facts["images before it"] = str(status.queue_place)
    if status.progress:
        facts["progress"] = ", ".join(
            f"image {one.index}: {one.step} of {one.steps}" for one in status.progress
        )
    if status.failure is not None:
        facts["failed"] = f"{status.failure.reason}: {status.failure}"
        facts["what to do"] = status.failure.hint
    if status.kept_until:
        facts["kept until"] = status.kept_until
    if status.webhook is not None:
        tries = f"{status.webhook.state} after {status.webhook.attempts} tries"
        facts["webhook"] = (
            f"{tries}{': ' if status.webhook.problem else ''}{status.webhook.problem}"
        )
    text: list[Any] = [fields(facts)]
    if status.images:
        rows = [
            (str(one.index), str(one.seed), one.format, size(one.byte_count))
            for one in status.images
        ]
        text.append(table("image", "seed", "format", "size", rows=rows))
    return text


def _worn(status: JobStatus) -> str:
    worn = [f"{one.adapter}@{one.version}:{one.weight:g}" for one in status.accepted.worn]
    return " ".join(worn) or "the base"
