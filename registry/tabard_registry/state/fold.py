# SPDX-License-Identifier: Apache-2.0
"""The meaning of the log: a pure, total function from a state and records to the next state.

Any record that can be decoded can be folded. An act that is not valid at its position stays in
history with a note and changes nothing. What each act means is in `meanings`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tabard_registry.errors import RegistryError
from tabard_registry.log.records import TOKEN, Action, AppliedRecord, Effect, Record
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.keys import Policy
from tabard_registry.release.release import Adapter
from tabard_registry.state.draft import Draft, Invalid
from tabard_registry.state.meanings import MEANINGS
from tabard_registry.state.state import REQUEST_WINDOW, STRAYS_MAX, State, remembered_requests

_NO_TOKEN_ACT = "changes no token"
_MALFORMED = (
    RegistryError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def empty_state(*, registry_id: str, genesis: Digest) -> State:
    """Return the state before the first record."""
    return State(registry_id=registry_id, seq=0, head=genesis)


def fold(
    state: State, records: Iterable[tuple[Record, Digest]]
) -> tuple[State, tuple[AppliedRecord, ...]]:
    """Fold records, each with the digest of its bytes, into a state. Never raises.

    The caller has checked that they follow the state in an unbroken chain.
    """
    draft: Draft | None = None
    applied: list[AppliedRecord] = []
    seq, head = state.seq, state.head
    for record, digest in records:
        draft = draft or Draft.of(state)
        applied.append(_fold_record(draft, record))
        seq, head = record.seq, digest
    if draft is None:
        return state, ()
    after = State(
        registry_id=state.registry_id,
        seq=seq,
        head=head,
        adapters=draft.lines.freeze(),
        acted=MappingProxyType(draft.acted),
        denied=frozenset(draft.denied),
        collected=MappingProxyType(draft.collected),
        gc_seq=draft.gc_seq,
        gc_open=frozenset(draft.gc_open),
        keys=MappingProxyType(draft.keys),
        policies=MappingProxyType(draft.policies),
        tokens=draft.tokens,
        wearers=MappingProxyType(draft.wearers),
        grids=MappingProxyType(draft.grids),
        canaried=_canaried(draft),
        strays=tuple(draft.strays[-STRAYS_MAX:]),
    )
    return after, tuple(applied)


def channel_key(adapter: AdapterName, *, channel: str) -> str:
    """Name a channel in an action's `expect`."""
    return f"{adapter}@{channel}"


def unproven_in(policies: Mapping[str, Policy], action: Action) -> str:
    """Say why an act has no effect: its namespace asks who its author is, and nobody checked."""
    namespace = action.adapter.partition("/")[0]
    policy = policies.get(namespace)
    if policy is None or not policy.require_identity or action.proof:
        return ""
    return f"nobody checked who {action.actor[:40]!r} is, and {namespace} asks for that"


def effects_of(state: State, record: Record) -> AppliedRecord:
    """Tell what came of a record that this state has folded in, however long ago."""
    effects = (_past_effect(state, record, position) for position in range(len(record.actions)))
    return AppliedRecord(record=record, effects=tuple(effects))


def _canaried(draft: Draft) -> frozenset[AdapterName]:
    found = ((name, draft.lines.get(name)) for name in draft.canaried)
    return frozenset(
        name for name, line in found if line and any(one.is_open for one in line.canaries)
    )


def _past_effect(state: State, record: Record, position: int) -> Effect:
    action = record.actions[position]
    if action.type == TOKEN:
        token = state.tokens.get(str(action.summary.get("id")))
        is_kept = token is not None and (record.seq, position) in token.places
        return Effect(effective=is_kept, note="" if is_kept else _NO_TOKEN_ACT)
    line = _line_of(state, action.adapter)
    # An act that came before its adapter was known is a stray, even if the adapter is known now.
    for events in (line.events if line else (), state.strays):
        first = bisect_left(events, (record.seq, position), key=lambda e: (e.seq, e.position))
        if first < len(events) and (events[first].seq, events[first].position) == (
            record.seq,
            position,
        ):
            entry = events[first]
            previous = Digest.parse(entry.previous_digest) if entry.previous_digest else None
            return Effect(effective=entry.effective, note=entry.note, previous_digest=previous)
    # Only publications that took effect leave no entry: the release itself tells of them.
    if line and any(release.seq == record.seq for release in line.by_digest.values()):
        return Effect(effective=True)
    return Effect(effective=False, note="without effect; why is no longer remembered")


def _line_of(state: State, adapter: str) -> Adapter | None:
    try:
        return state.adapters.get(AdapterName.parse(adapter))
    except RegistryError:
        return None


def _fold_record(draft: Draft, record: Record) -> AppliedRecord:
    effects = tuple(_fold_action(draft, record, n) for n in range(len(record.actions)))
    if len(draft.acted) > 2 * REQUEST_WINDOW:
        draft.acted = remembered_requests(draft.acted, seq=record.seq)
    return AppliedRecord(record=record, effects=effects)


def _fold_action(draft: Draft, record: Record, position: int) -> Effect:
    action = record.actions[position]
    effect = _effect_of(draft, record, action)
    if action.request_id and effect.effective:
        draft.acted[action.request_id] = record.seq
    if action.type == TOKEN:
        # Not remembered: what is said of tokens, to whom, is not for those who read the history.
        return effect if effect.effective else Effect(effective=False, note=_NO_TOKEN_ACT)
    if not (action.type == "publish" and effect.effective):
        _remember(draft, entry_of(record, position, effect))
    return effect


def _effect_of(draft: Draft, record: Record, action: Action) -> Effect:
    refusal = _refusal_of(draft, action, seq=record.seq)
    if refusal:
        return Effect(effective=False, note=refusal)
    meaning = MEANINGS.get(action.type)
    if meaning is None:
        return Effect(effective=False, note=f"unknown act {action.type[:40]!r}")
    try:
        return meaning(draft, record, action)
    except Invalid as error:
        return Effect(effective=False, note=str(error))
    except _MALFORMED as error:
        return Effect(effective=False, note=f"malformed: {error!r}"[:200])


def _refusal_of(draft: Draft, action: Action, *, seq: int) -> str:
    acted = draft.acted.get(action.request_id) if action.request_id else None
    if acted is not None and acted > seq - REQUEST_WINDOW:
        return f"request {action.request_id} acted in record {acted}"
    unproven = unproven_in(draft.policies, action)
    if unproven:
        return unproven
    for key, wanted in action.expect.items():
        found = _pointer(draft, key)
        if found != wanted:
            return f"expected {key} at {wanted or 'nothing'}, found {found or 'nothing'}"
    return ""


def _pointer(draft: Draft, key: str) -> str | None:
    name, _, channel = key.rpartition("@")
    try:
        adapter = draft.lines.get(AdapterName.parse(name))
    except RegistryError:
        return None
    pointer = adapter.channels.get(channel) if adapter else None
    return str(pointer.digest) if pointer else None


def _remember(draft: Draft, entry: HistoryEntry) -> None:
    try:
        line = draft.lines.get(AdapterName.parse(entry.adapter))
    except RegistryError:
        line = None
    if line is not None:
        draft.lines.put(replace(line, events=(*line.events, entry)))
        return
    draft.strays.append(entry)
    if len(draft.strays) > 2 * STRAYS_MAX:
        del draft.strays[:-STRAYS_MAX]


def entry_of(record: Record, position: int, effect: Effect) -> HistoryEntry:
    """Flatten one act of a record."""
    action = record.actions[position]
    return HistoryEntry(
        seq=record.seq,
        time=record.time,
        actor=action.actor,
        reason=action.reason,
        type=action.type,
        adapter=action.adapter,
        version=action.version,
        digest=action.digest,
        channel=action.channel,
        previous_digest=str(effect.previous_digest or ""),
        effective=effect.effective,
        note=effect.note,
        position=position,
        proof=action.proof,
        on_behalf_of=action.on_behalf_of,
    )
