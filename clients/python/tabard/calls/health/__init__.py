# SPDX-License-Identifier: Apache-2.0
"""Verbs of release health, each module imported when it is first looked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabard.calls.health import (
        canary,
        compare,
        evaluation,
        evidence,
        grid_drawing,
        grids,
        lookup,
        references,
        review,
    )

__all__ = [
    "canary",
    "compare",
    "evaluation",
    "evidence",
    "grid_drawing",
    "grids",
    "lookup",
    "references",
    "review",
]

if not TYPE_CHECKING:  # a name that is not there is an error for type checkers, too

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return import_module(f"tabard.calls.health.{name}")
        raise AttributeError(f"module 'tabard.calls.health' has no attribute {name!r}")
