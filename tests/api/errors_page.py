# SPDX-License-Identifier: Apache-2.0
"""Writes docs/errors.md from the API: `python -m tests.api.errors_page`.

In: the comments of `ErrorReason`, each with what it means, what to do, its status and its calls.
"""

import re
from dataclasses import dataclass

from tests.root import ROOT

PAGE = ROOT / "docs/errors.md"
_PROTO = ROOT / "proto/tabard/v1/error_reason.proto"
_VALUE = re.compile(
    r"  // (?P<meaning>[^\n]+)\n  // To do: (?P<to_do>[^\n]+)\n"
    r"  // Status: (?P<statuses>[A-Z_ or]+)\. Calls: (?P<calls>[^\n]+)\.\n"
    r"  (?P<reason>[A-Z0-9_]+) = \d+;"
)
_HEAD = """# Errors

A failed call has a gRPC status, and in its details (`grpc-status-details-bin`) a
`google.rpc.ErrorInfo` of the domain `tabard`: `reason` is one of those below and never changes its
meaning, `metadata["hint"]` says what to do in this very case. What is wrong with single fields is
told by `google.rpc.BadRequest`, each with its own reason. Where waiting helps,
`google.rpc.RetryInfo` says how long.

This page is written from `proto/tabard/v1/error_reason.proto`: change it there, then say
`python -m tests.api.errors_page`.

| Reason | Status | What it means | What to do | Calls |
|---|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class Documented:
    """A reason as the API documents it."""

    reason: str
    meaning: str
    to_do: str
    statuses: tuple[str, ...]
    calls: str


def documented() -> tuple[Documented, ...]:
    """Return all reasons, as the API has them."""
    text = _PROTO.read_text(encoding="utf-8")
    found_all = _VALUE.finditer(text)
    return tuple(
        Documented(**{**found.groupdict(), "statuses": tuple(found["statuses"].split(" or "))})
        for found in sorted(found_all, key=lambda found: found["reason"])
    )


def page() -> str:
    """Return the page as it should be."""
    rows = (
        f"| `{one.reason}` | {' or '.join(one.statuses)} | {one.meaning} | {one.to_do} | "
        f"{one.calls} |\n"
        for one in documented()
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
