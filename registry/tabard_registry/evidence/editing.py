# SPDX-License-Identifier: Apache-2.0
"""Edits of a report: people complete what the service drafted, and change nothing it measured."""

from __future__ import annotations

from dataclasses import fields, replace

from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.report import PEOPLES_FIELDS, Check, Report
from tabard_registry.refs.digest import Digest


def edited(original: Report, wanted: Report, *, digest: Digest, by: str) -> Report:
    """Return the report that an edit makes: people's fields of `wanted`, the rest as it was.

    Args:
        original: What was there.
        wanted: What somebody wrote.
        digest: The digest of the original.
        by: Who edits; written beside each failure check that they changed.

    Raises:
        PreconditionFailed: It changes what was measured (EDIT_OF_MEASUREMENT).
    """
    refuse_measured(original, replace(wanted, edited_from=original.edited_from))
    checks = {
        name: replace(one, by=by) if one != original.checks.get(name) else one
        for name, one in wanted.checks.items()
        if one != Check()
    }
    return replace(wanted, checks=checks, edited_from=digest)


def refuse_measured(original: Report, wanted: Report) -> None:
    """Refuse a report in which something else was measured than in another one.

    Raises:
        PreconditionFailed: It is so (EDIT_OF_MEASUREMENT).
    """
    measured = [one.name for one in fields(Report) if one.name not in PEOPLES_FIELDS]
    changed = [name for name in measured if getattr(original, name) != getattr(wanted, name)]
    if _cells(original) != _cells(wanted):
        changed.append("candidates")
    if changed:
        raise PreconditionFailed(
            f"an edit cannot change {', '.join(changed)}",
            reason="EDIT_OF_MEASUREMENT",
            hint=f"People complete {', '.join(PEOPLES_FIELDS)}; evaluate again to measure anew.",
        )


def _cells(report: Report) -> list[tuple[Digest, int, int]]:
    return [(one.image, one.prompt, one.seed) for one in report.candidates]
