# SPDX-License-Identifier: Apache-2.0
"""Compares what callers were told with what is in the log, and the log with its fold. Pure.

In: what was asked, the records, the state. Out: complaints.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tabard_registry import Action, AdapterName, AppliedRecord, Effect, State
from tests.faults.asked import Asked

MOVES = ("promote", "rollback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act of the log: where, what, and what came of it."""

    position: tuple[int, int]
    action: Action
    effect: Effect


def entries_of(records: Iterable[AppliedRecord]) -> list[Entry]:
    """Give every act of the log in its order."""
    return [
        Entry(position=(one.seq, number), action=action, effect=effect)
        for one in records
        for number, (action, effect) in enumerate(zip(one.record.actions, one.effects, strict=True))
    ]


def judge(entries: Sequence[Entry], *, asked: Sequence[Asked]) -> Iterator[str]:
    """Yield what is not in the log as its caller was told.

    Acknowledged: exactly once, as it was answered. Refused or without need: never. Without an
    answer: at most once. And whatever was acknowledged before something else was asked of the same
    line stands before it.
    """
    by_id: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_id[entry.action.request_id].append(entry)
    placed: dict[str, list[tuple[Entry, Asked]]] = defaultdict(list)
    for one in asked:
        found = by_id[one.request_id]
        placed[one.adapter].extend((entry, one) for entry in found)
        if len(found) > 1:
            yield f"{one} is doubled: at {[entry.position for entry in found]}"
        elif found:
            yield from _compare(one, found[0])
        elif one.outcome == "acknowledged":
            yield f"{one} is lost"
    for line in placed.values():
        yield from _judge_order(sorted(line, key=lambda pair: pair[0].position))


def judge_channels(entries: Sequence[Entry], *, state: State) -> Iterator[str]:
    """Yield moves that do not begin where the one before ended, and channels that are elsewhere."""
    last: dict[tuple[str, str], str] = {}
    for entry in entries:
        action = entry.action
        if action.type not in MOVES or not entry.effect.effective:
            continue
        key = (action.adapter, action.channel)
        before = str(entry.effect.previous_digest or "")
        if before != last.get(key, ""):
            yield f"{key}: the move at {entry.position} does not follow the one before"
        last[key] = action.digest
    for (adapter, channel), digest in last.items():
        pointer = state.channel(AdapterName.parse(adapter), channel=channel)
        if str(pointer.digest) != digest:
            yield f"{adapter}@{channel} is at {pointer.digest}, and was moved to {digest}"


def _compare(one: Asked, entry: Entry) -> Iterator[str]:
    if one.outcome in ("refused", "unchanged"):
        yield f"{one} was {one.outcome}, and is in the log at {entry.position}"
    if one.outcome != "acknowledged":
        return
    action = entry.action
    told = (one.type, one.adapter, one.channel, one.version, one.digest)
    kept = (action.type, action.adapter, action.channel, action.version, action.digest)
    if told != kept:
        yield f"{one} was answered as {told}, and is in the log as {kept}"
    if not entry.effect.effective:
        yield f"{one} was acknowledged, and had no effect: {entry.effect.note}"
    before = str(entry.effect.previous_digest or "")
    if one.type in MOVES and one.previous_digest != before:
        yield f"{one} was told that it left {one.previous_digest}; it left {before}"


def _judge_order(line: Sequence[tuple[Entry, Asked]]) -> Iterator[str]:
    begun_last = -1
    for entry, one in line:
        if one.outcome == "acknowledged" and one.ended_at < begun_last:
            yield f"{one} stands behind what was asked after its answer, at {entry.position}"
        begun_last = max(begun_last, one.begun_at)
