# SPDX-License-Identifier: Apache-2.0
"""What somebody sees of a state: all, but what belongs to private namespaces that are not for them.

In: a state, and what somebody may do. Out: a state in which the rest does not exist: no name, no
digest, no hint, no recipe that wears it. Nothing is copied; without private namespaces it is the
very same object. Answers about the past come from the queries, which take the same grants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from itertools import takewhile
from types import MappingProxyType

from tabard_registry.errors import RegistryError
from tabard_registry.identity.roles import Grants, Role
from tabard_registry.log.records import TOKEN, Action, AppliedRecord
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.release import Adapter, Channel, Release
from tabard_registry.state.overlay import Overlay
from tabard_registry.state.state import State

_NAMED_BY_CANARY = ("candidate", "baseline")
_AFTER_SLASH = "0"
"""The character after `/`: `acme0` comes right after every name in `acme`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What somebody does not see.

    Attributes:
        namespaces: Private ones that they may not generate with.
        wearers: Release lines, perhaps of other namespaces, with recipes that wear what is there.
    """

    namespaces: frozenset[str]
    wearers: frozenset[AdapterName]

    def hides(self, release: Release) -> bool:
        """Say whether a release is hidden: it, or a member of it, is in such a namespace."""
        return not self.namespaces.isdisjoint(namespaces_needed([release]))

    def line(self, line: Adapter) -> Adapter | None:
        """Return what is seen of a release line; None: nothing."""
        if line.name.namespace in self.namespaces:
            return None
        return self._part(line) if line.name in self.wearers else line

    def entry(self, entry: HistoryEntry, *, line: Adapter | None) -> HistoryEntry | None:
        """Return what is seen of an entry of a line, or of none; None: nothing."""
        if entry.adapter.partition("/")[0] in self.namespaces:
            return None
        if line is None or line.name not in self.wearers:
            return entry
        unseen = self._unseen(line)
        if entry.digest in unseen:
            return None
        return replace(entry, previous_digest="") if entry.previous_digest in unseen else entry

    def _unseen(self, line: Adapter) -> set[str]:
        return {str(digest) for digest, one in line.by_digest.items() if self.hides(one)}

    def _part(self, line: Adapter) -> Adapter | None:
        seen = {digest: one for digest, one in line.by_digest.items() if not self.hides(one)}
        if not seen:
            return None
        by_digest = {digest: _judged(one, seen=seen.keys()) for digest, one in seen.items()}
        entries = (self.entry(entry, line=line) for entry in line.events)
        return replace(
            line,
            by_version=MappingProxyType({one.version: one for one in by_digest.values()}),
            by_digest=MappingProxyType(by_digest),
            channels=MappingProxyType(
                {
                    name: _part_of(channel, seen=by_digest.keys())
                    for name, channel in line.channels.items()
                    if channel.digest in by_digest
                }
            ),
            events=tuple(entry for entry in entries if entry is not None),
            canaries=tuple(
                one
                for one in line.canaries
                if {one.terms.candidate, one.terms.baseline} <= by_digest.keys()
            ),
        )


def hidden_from(state: State, grants: Grants) -> Hidden | None:
    """Return what somebody with these grants does not see; None: they see everything."""
    found = frozenset(
        name
        for name, policy in state.policies.items()
        if policy.private and not grants.allow(Role.GENERATE, namespace=name)
    )
    if not found:
        return None
    wearers = (state.wearers[name] for name in found if name in state.wearers)
    return Hidden(namespaces=found, wearers=frozenset().union(*wearers))


def seen_by(state: State, grants: Grants) -> State:
    """Return the state as somebody with these grants sees it. For reading alone.

    A line that was named before, say by a release of another snapshot, is looked up in it again.
    """
    hidden = hidden_from(state, grants)
    if hidden is None:
        return state
    spaces = hidden.namespaces
    keys = {path: key for path, key in state.keys.items() if key.namespace not in spaces}
    policies = {name: one for name, one in state.policies.items() if name not in spaces}
    return replace(
        state,
        adapters=Overlay(_SeenLines(state.adapters, hidden=hidden)),
        keys=MappingProxyType(keys),
        policies=MappingProxyType(policies),
        canaried=frozenset(name for name in state.canaried if name.namespace not in spaces),
        tokens=MappingProxyType({}),
        wearers=MappingProxyType({}),
        grids=MappingProxyType(
            {place: one for place, one in state.grids.items() if _space(place) not in spaces}
        ),
        strays=(),
    )


def told_to(applied: AppliedRecord, *, state: State, grants: Grants) -> AppliedRecord:
    """Return a record as somebody with these grants may be told of it, perhaps without any act.

    Acts on tokens are told to nobody.

    Args:
        applied: The record.
        state: The newest state, which says what is private now.
        grants: Theirs.
    """
    hidden = hidden_from(state, grants)
    both = zip(applied.record.actions, applied.effects, strict=True)
    told = [(one, effect) for one, effect in both if _is_told(one, state=state, hidden=hidden)]
    if len(told) == len(applied.effects):
        return applied
    return replace(
        applied,
        record=replace(applied.record, actions=tuple(action for action, _ in told)),
        effects=tuple(effect for _, effect in told),
    )


def namespaces_needed(releases: Iterable[Release]) -> frozenset[str]:
    """Return in which namespaces somebody must be allowed to generate to wear some releases."""
    return frozenset(
        name.namespace
        for one in releases
        for name in (one.adapter, *(member.adapter for member in one.members))
    )


class _SeenLines:
    """The release lines that are not hidden: the base of a state that somebody sees."""

    __slots__ = ("_all", "_hidden")

    def __init__(self, lines: Overlay, *, hidden: Hidden) -> None:
        self._all = lines
        self._hidden = hidden

    def __len__(self) -> int:
        gone = sum(1 for space in self._hidden.namespaces for _ in _names_in(self._all, space))
        others = (one for one in self._hidden.wearers if not self._is_inside(one))
        return len(self._all) - gone - sum(1 for one in others if self.find(one) is None)

    def find(self, name: AdapterName) -> Adapter | None:
        found = None if self._is_inside(name) else self._all.get(name)
        return self._hidden.line(found) if found is not None else None

    def names_from(self, text: str) -> Iterator[AdapterName]:
        names = self._all.names_from(text)
        while (name := next(names, None)) is not None:
            if self._is_inside(name):
                # On to what comes after the namespace, however much is in it.
                names = self._all.names_from(name.namespace + _AFTER_SLASH)
            elif name not in self._hidden.wearers or self.find(name) is not None:
                yield name

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        return (name for name in self._all.names_with(hex_digits) if self.find(name) is not None)

    def lines(self) -> Iterator[tuple[str, Adapter]]:
        seen = map(self._hidden.line, self._all.lines())
        return ((str(line.name), line) for line in seen if line is not None)

    def _is_inside(self, name: AdapterName) -> bool:
        return name.namespace in self._hidden.namespaces


def _names_in(lines: Overlay, namespace: str) -> Iterator[AdapterName]:
    return takewhile(lambda name: name.namespace == namespace, lines.names_from(f"{namespace}/"))


def _space(place: str) -> str:
    return place.partition("/")[0]


def _judged(release: Release, *, seen: Set[object]) -> Release:
    """Leave out evidence that compares a release with one that is not seen."""
    kept = tuple(
        one for one in release.health.evidence if one.against is None or one.against in seen
    )
    if len(kept) == len(release.health.evidence):
        return release
    known = {one.document for one in kept}
    return replace(
        release,
        health=replace(
            release.health,
            evidence=kept,
            reviews=tuple(r for r in release.health.reviews if r.evidence in known),
            votes=tuple(v for v in release.health.votes if v.evidence in known),
        ),
    )


def _part_of(channel: Channel, *, seen: Set[object]) -> Channel:
    return replace(
        channel,
        below=tuple(digest for digest in channel.below if digest in seen),
        served=frozenset(digest for digest in channel.served if digest in seen),
    )


def _is_told(action: Action, *, state: State, hidden: Hidden | None) -> bool:
    if action.type == TOKEN:
        return False
    if hidden is None:
        return True
    if action.adapter.partition("/")[0] in hidden.namespaces:
        return False
    try:
        line = state.adapters.get(AdapterName.parse(action.adapter))
    except RegistryError:
        return True
    releases = line.by_digest.items() if line and line.name in hidden.wearers else ()
    # The steps of a canary name two releases.
    named = {action.digest, *(str(action.summary.get(name)) for name in _NAMED_BY_CANARY)}
    return not any(str(digest) in named and hidden.hides(one) for digest, one in releases)
