# SPDX-License-Identifier: Apache-2.0
"""The servers of a registry as a table: what each is, and what is unlike the one that was asked."""

from __future__ import annotations

from datetime import timedelta

from tabard.cli.layout import Answer
from tabard.cli.output import short, table
from tabard.operations import Replica, Replicas, ServerStatus

_CLOCK_SECONDS_TOLD = 5.0
_LAG_SECONDS_TOLD = 60.0


def replicas_text(found: Replicas, *, now: ServerStatus) -> list[Answer]:
    """Say which servers there are; `now` is what the one that was asked says of itself."""
    if not found.replicas:
        return ["no server tells of itself (heartbeat_seconds)"]
    rows = [
        (
            _name(one, own=found.replica_id),
            "lost" if one.is_lost else one.state or "unknown",
            one.version,
            f"{one.base_family} {short(one.base_fingerprint)}",
            str(one.registry_seq),
            f"{one.rows_running} / {one.rows_waiting}",
            f"{timedelta(seconds=int(one.age_seconds))} ago",
            ", ".join(remarks_on(one, now=now)),
        )
        for one in found.replicas
    ]
    names = ("replica", "state", "tabard", "base", "seq", "run / wait", "heard", "look at")
    return [table(*names, rows=rows)]


def remarks_on(one: Replica, *, now: ServerStatus) -> list[str]:
    """Say what is worth a look, beside the server that was asked."""
    ahead = one.clock_ahead_seconds
    said = {
        "another version": one.version != now.version,
        "another base": one.base_fingerprint != now.base_fingerprint,
        "its store does not answer": one.registry_lag_seconds >= _LAG_SECONDS_TOLD,
        f"its clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}": (
            abs(ahead) >= _CLOCK_SECONDS_TOLD
        ),
    }
    return [words for words, is_so in said.items() if is_so]


def _name(one: Replica, *, own: str) -> str:
    name = one.address or one.host or "no name"
    return f"{name} {one.id[:8]}" + (" (asked)" if one.id == own else "")
