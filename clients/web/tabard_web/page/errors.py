# SPDX-License-Identifier: Apache-2.0
"""Failures as the page reads them: one shape, whatever failed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from tabard import TabardError


class PageError(BaseModel):
    """One failure.

    Attributes:
        message: What happened.
        reason: Stable code, as errors.md has it.
        hint: What to do next.
        field: The field that was refused, if one was.
        retry_after_seconds: How long to wait, if that helps.
    """

    message: str
    reason: str
    hint: str
    field: str | None
    retry_after_seconds: float | None


class PageFailure(BaseModel):
    """The body of a failure.

    Attributes:
        error: The failure.
    """

    error: PageError


FAILURES: dict[int | str, dict[str, Any]] = {
    "default": {"model": PageFailure, "description": "What failed, and what to do."}
}
"""How every path of this door says in its description that it may fail."""


def page_failure(error: TabardError) -> dict[str, Any]:
    """Give the body of a failure."""
    told = PageError(
        message=str(error),
        reason=error.reason,
        hint=error.hint,
        field=(error.violations[0].field or None) if error.violations else None,
        retry_after_seconds=error.retry_after_seconds,
    )
    return PageFailure(error=told).model_dump()
