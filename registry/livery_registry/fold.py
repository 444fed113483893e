# SPDX-License-Identifier: Apache-2.0
"""The meaning of the log: a pure, total function from a state and records to the next state.

Any record that can be decoded can be folded. An act that is not valid at its position stays in
history with a note and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from livery_registry.digest import Digest
from livery_registry.errors import RegistryError
from livery_registry.names import AdapterName, check_channel
from livery_registry.records import Action, AppliedRecord, Effect, Record
from livery_registry.release import Adapter, Channel, Release, release_from_summary
from livery_registry.semver import Version
from livery_registry.state import State

ROLLBACK_DEPTH_MAX = 256
"""How many moves of a channel a chain of rollbacks can undo. Part of the protocol."""

_MALFORMED = (
    RegistryError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class _Invalid(Exception):
    """An act is not valid at its position; the text says why."""


@dataclass(slots=True, kw_only=True)
class _Draft:
    """The state while records are folded into it."""

    adapters: dict[AdapterName, Adapter]
    acted: dict[str, int]


def empty_state(*, registry_id: str, genesis: Digest) -> State:
    """Return the state before the first record."""
    return State(
        registry_id=registry_id,
        seq=0,
        head=genesis,
        adapters=MappingProxyType({}),
        acted=MappingProxyType({}),
    )


def fold(
    state: State, records: Iterable[tuple[Record, Digest]]
) -> tuple[State, tuple[AppliedRecord, ...]]:
    """Fold records, each with the digest of its bytes, into a state. Never raises.

    The caller has checked that they follow the state in an unbroken chain.
    """
    draft = _Draft(adapters=dict(state.adapters), acted=dict(state.acted))
    applied: list[AppliedRecord] = []
    seq, head = state.seq, state.head
    for record, digest in records:
        applied.append(_fold_record(draft, record))
        seq, head = record.seq, digest
    if not applied:
        return state, ()
    after = State(
        registry_id=state.registry_id,
        seq=seq,
        head=head,
        adapters=MappingProxyType(draft.adapters),
        acted=MappingProxyType(draft.acted),
    )
    return after, tuple(applied)


def channel_key(adapter: AdapterName, *, channel: str) -> str:
    """Name a channel in a record's `expect`."""
    return f"{adapter}@{channel}"


def channel_below(channel: Channel, *, target: Digest) -> tuple[Digest, ...]:
    """Return what lies below `target` after a channel was rolled back to it."""
    for position in range(len(channel.below) - 1, -1, -1):
        if channel.below[position] == target:
            return channel.below[:position]
    return channel.below


def _fold_record(draft: _Draft, record: Record) -> AppliedRecord:
    refusal = _refusal_of(draft, record)
    if refusal:
        effects = tuple(Effect(effective=False, note=refusal) for _ in record.actions)
    else:
        effects = tuple(_fold_action(draft, record, action) for action in record.actions)
    applied = AppliedRecord(record=record, effects=effects)
    if record.request_id and applied.is_effective:
        draft.acted[record.request_id] = record.seq
    return applied


def _refusal_of(draft: _Draft, record: Record) -> str:
    if record.request_id and record.request_id in draft.acted:
        return f"request {record.request_id} acted in record {draft.acted[record.request_id]}"
    for key, wanted in record.expect.items():
        found = _pointer(draft.adapters, key)
        if found != wanted:
            return f"expected {key} at {wanted or 'nothing'}, found {found or 'nothing'}"
    return ""


def _pointer(adapters: Mapping[AdapterName, Adapter], key: str) -> str | None:
    name, _, channel = key.rpartition("@")
    try:
        adapter = adapters.get(AdapterName.parse(name))
    except RegistryError:
        return None
    pointer = adapter.channels.get(channel) if adapter else None
    return str(pointer.digest) if pointer else None


def _fold_action(draft: _Draft, record: Record, action: Action) -> Effect:
    handler = _HANDLERS.get(action.type)
    if handler is None:
        return Effect(effective=False, note=f"unknown act {action.type[:40]!r}")
    try:
        return handler(draft, record, action)
    except _Invalid as error:
        return Effect(effective=False, note=str(error))
    except _MALFORMED as error:
        return Effect(effective=False, note=f"malformed: {error!r}"[:200])


def _publish(draft: _Draft, record: Record, action: Action) -> Effect:
    name = AdapterName.parse(action.adapter)
    version = Version.parse(action.version)
    release = release_from_summary(
        action.summary,
        adapter=name,
        version=version,
        digest=Digest.parse(action.digest),
        seq=record.seq,
        published_at=record.time,
        published_by=record.actor,
    )
    line = draft.adapters.get(name) or Adapter(
        name=name, by_version={}, by_digest={}, channels=MappingProxyType({})
    )
    if version in line.by_version:
        raise _Invalid(f"{name}@{version} exists")
    if release.digest in line.by_digest:
        raise _Invalid(f"{release.digest} is another release of {name}")
    draft.adapters[name] = _with_release(line, release)
    return Effect(effective=True)


def _promote(draft: _Draft, record: Record, action: Action) -> Effect:
    line, release = _named_release(draft, action)
    check_channel(action.channel)
    if release.yanked:
        raise _Invalid(f"{release} is yanked")
    before = line.channels.get(action.channel)
    if before is None:
        below: tuple[Digest, ...] = ()
    elif before.digest == release.digest:
        raise _Invalid(f"{action.channel} points there already")
    else:
        below = (*before.below, before.digest)[-ROLLBACK_DEPTH_MAX:]
    return _move(draft, line, action.channel, release=release, seq=record.seq, below=below)


def _rollback(draft: _Draft, record: Record, action: Action) -> Effect:
    line, release = _named_release(draft, action)
    before = line.channels.get(action.channel)
    if before is None:
        raise _Invalid(f"no channel {action.channel[:40]!r}")
    if before.digest == release.digest:
        raise _Invalid(f"{action.channel} points there already")
    if release.digest not in before.served:
        raise _Invalid(f"{release} was never on {action.channel}")
    if release.yanked:
        raise _Invalid(f"{release} is yanked")
    below = channel_below(before, target=release.digest)
    return _move(draft, line, action.channel, release=release, seq=record.seq, below=below)


def _yank(draft: _Draft, record: Record, action: Action) -> Effect:
    line, release = _named_release(draft, action)
    if release.yanked:
        raise _Invalid(f"{release} is yanked already")
    yanked = replace(release, yanked=True, yank_reason=record.reason)
    draft.adapters[line.name] = _with_release(line, yanked)
    return Effect(effective=True)


def _unyank(draft: _Draft, record: Record, action: Action) -> Effect:
    line, release = _named_release(draft, action)
    if not release.yanked:
        raise _Invalid(f"{release} is not yanked")
    draft.adapters[line.name] = _with_release(line, replace(release, yanked=False, yank_reason=""))
    return Effect(effective=True)


def _named_release(draft: _Draft, action: Action) -> tuple[Adapter, Release]:
    line = draft.adapters.get(AdapterName.parse(action.adapter))
    if line is None:
        raise _Invalid(f"no adapter {action.adapter}")
    release = line.by_digest.get(Digest.parse(action.digest))
    if release is None:
        raise _Invalid(f"no release {action.digest} of {action.adapter}")
    return line, release


def _with_release(line: Adapter, release: Release) -> Adapter:
    return replace(
        line,
        by_version=MappingProxyType({**line.by_version, release.version: release}),
        by_digest=MappingProxyType({**line.by_digest, release.digest: release}),
    )


def _move(
    draft: _Draft,
    line: Adapter,
    channel: str,
    *,
    release: Release,
    seq: int,
    below: tuple[Digest, ...],
) -> Effect:
    before = line.channels.get(channel)
    after = Channel(
        name=channel,
        digest=release.digest,
        version=release.version,
        seq=seq,
        below=below,
        served=(before.served if before else frozenset()) | {release.digest},
    )
    channels = MappingProxyType({**line.channels, channel: after})
    draft.adapters[line.name] = replace(line, channels=channels)
    return Effect(effective=True, previous_digest=before.digest if before else None)


_HANDLERS: Mapping[str, Callable[[_Draft, Record, Action], Effect]] = {
    "publish": _publish,
    "promote": _promote,
    "rollback": _rollback,
    "yank": _yank,
    "unyank": _unyank,
}
