# SPDX-License-Identifier: Apache-2.0
"""Every verb of the SDK as a value: a request, which says its RPC, and how to read the answer.

Both clients send these, so a verb is written once. Nothing here touches the network. A module of
verbs is imported when one of them is asked for: who lists releases uploads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabard.calls import (
        acts,
        downloads,
        findings,
        generation,
        health,
        identity,
        jobs,
        operations,
        records,
        registry,
        replay,
        uploads,
    )

__all__ = [
    "acts",
    "downloads",
    "findings",
    "generation",
    "health",
    "identity",
    "jobs",
    "operations",
    "records",
    "registry",
    "replay",
    "uploads",
]

if not TYPE_CHECKING:  # a name that is not there is an error for type checkers, too

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return import_module(f"tabard.calls.{name}")
        raise AttributeError(f"module 'tabard.calls' has no attribute {name!r}")
