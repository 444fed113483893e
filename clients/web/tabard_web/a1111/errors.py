# SPDX-License-Identifier: Apache-2.0
"""Failures in A1111's shape: what kind, and in words what happened and what to do."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from tabard import TabardError


class A1111Failure(BaseModel):
    """The body of a failure.

    Attributes:
        error: Stable code, as errors.md has it.
        detail: What happened, and what to do.
        body: Empty.
        errors: What happened.
    """

    error: str
    detail: str
    body: str = ""
    errors: str


FAILURES: dict[int | str, dict[str, Any]] = {
    "default": {"model": A1111Failure, "description": "What failed, and what to do."}
}
"""How every path of this door says in its description that it may fail."""


def a1111_failure(error: TabardError) -> dict[str, Any]:
    """Give the body of a failure."""
    detail = f"{error}; {error.hint}" if error.hint else str(error)
    return A1111Failure(error=error.reason, detail=detail, errors=str(error)).model_dump()


def refuse(name: str, message: str, *, hint: str) -> ValueError:
    """Give what a request is refused with while it is read: its parameter by name."""
    return ValueError(f"{name}: {message}; {hint}")
