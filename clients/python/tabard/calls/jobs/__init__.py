# SPDX-License-Identifier: Apache-2.0
"""The verbs of detached jobs, each module imported when one of its verbs is asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabard.calls.jobs import beginning, standing

__all__ = ["beginning", "standing"]

if not TYPE_CHECKING:  # a name that is not there is an error for type checkers, too

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return import_module(f"tabard.calls.jobs.{name}")
        raise AttributeError(f"module 'tabard.calls.jobs' has no attribute {name!r}")
