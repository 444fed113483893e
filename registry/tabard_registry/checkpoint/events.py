# SPDX-License-Identifier: Apache-2.0
"""History entries as JSON, and back.

An act on a release of the line is one short row that names the release by its position; whatever
else was tried is an object with all its fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabard_registry.checkpoint.digests import Texts
from tabard_registry.identity.identity import Proof
from tabard_registry.release.history import HistoryEntry

_TEXTS = (
    "time",
    "actor",
    "reason",
    "type",
    "adapter",
    "version",
    "digest",
    "channel",
    "previous_digest",
    "note",
    "proof",
    "on_behalf_of",
)


def events_to_json(
    entries: Sequence[HistoryEntry],
    *,
    name: str,
    versions: Sequence[str],
    digests: Sequence[str],
) -> list[Any]:
    """Write the events of a release line.

    Args:
        entries: The events.
        name: The release line.
        versions: The version of each of its releases, by position.
        digests: The digest of each, `sha256:…`.
    """
    texts = Texts()
    version = dict(zip(digests, versions, strict=True))
    position = {digest: index for index, digest in enumerate(digests)}

    def row(entry: HistoryEntry) -> Any:
        before, told = entry.previous_digest, (entry.adapter, entry.version)
        is_plain = entry.effective and not entry.note and (not before or before in position)
        if not is_plain or told != (name, version.get(entry.digest)):
            return entry_to_json(entry)
        shared = (
            *(entry.type, entry.actor, entry.reason, entry.channel),
            *(entry.proof, entry.on_behalf_of),
        )
        return [
            entry.seq,
            entry.time,
            *map(texts.number, shared),
            position[entry.digest],
            position.get(before),
            entry.position,
        ]

    return [[row(entry) for entry in entries], texts.found]


def events_from_json(
    found: Any, *, name: str, versions: Sequence[str], digests: Sequence[str]
) -> tuple[HistoryEntry, ...]:
    """Read what `events_to_json` wrote; raises what unpacking and the lookups raise."""
    rows, texts = found

    def entry(row: Any) -> HistoryEntry:
        if isinstance(row, dict):
            return entry_from_json(row)
        seq, time, type, actor, reason, channel, proof, on_behalf_of, position, before, place = row
        return HistoryEntry(
            seq=seq,
            time=time,
            actor=texts[actor],
            reason=texts[reason],
            type=texts[type],
            adapter=name,
            version=versions[position],
            digest=digests[position],
            channel=texts[channel],
            previous_digest="" if before is None else digests[before],
            position=place,
            proof=Proof.read(texts[proof]),
            on_behalf_of=texts[on_behalf_of],
        )

    return tuple(map(entry, rows))


def entry_to_json(entry: HistoryEntry) -> dict[str, Any]:
    """Write a history entry as a JSON object without its empty fields."""
    found = {name: text for name in _TEXTS if (text := getattr(entry, name))}
    numbers = {"seq": entry.seq, **({"position": entry.position} if entry.position else {})}
    return {**found, **numbers, **({} if entry.effective else {"void": 1})}


def entry_from_json(found: Any) -> HistoryEntry:
    """Read what `entry_to_json` wrote; raises what the lookups raise."""
    return HistoryEntry(
        **{name: found.get(name, "") for name in _TEXTS if name != "proof"},
        proof=Proof.read(found.get("proof", "")),
        seq=found["seq"],
        effective="void" not in found,
        position=found.get("position", 0),
    )
