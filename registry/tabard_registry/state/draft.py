# SPDX-License-Identifier: Apache-2.0
"""The state while records are folded into it, and what most acts do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from tabard_registry.identity.tokens import Token
from tabard_registry.log.records import Action, Effect
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.health import GridNote
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.keys import Key, Policy
from tabard_registry.release.release import Adapter, Release
from tabard_registry.state.overlay import Changes
from tabard_registry.state.state import State

DONE = Effect(effective=True)
"""An act changed the state, and there is no more to say."""


class Invalid(Exception):
    """An act is not valid at its position; the text says why."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """The state while records are folded into it."""

    lines: Changes
    acted: dict[str, int]
    denied: set[str]
    collected: dict[str, int]
    gc_seq: int
    gc_open: set[int]
    keys: dict[str, Key]
    policies: dict[str, Policy]
    tokens: Mapping[str, Token]
    wearers: dict[str, frozenset[AdapterName]]
    grids: dict[str, tuple[GridNote, ...]]
    canaried: frozenset[AdapterName]
    strays: list[HistoryEntry]

    @classmethod
    def of(cls, state: State) -> Draft:
        """Begin from a state."""
        return cls(
            lines=state.adapters.changes(),
            acted=dict(state.acted),
            denied=set(state.denied),
            collected=dict(state.collected),
            gc_seq=state.gc_seq,
            gc_open=set(state.gc_open),
            keys=dict(state.keys),
            policies=dict(state.policies),
            # Perhaps thousands, and most records leave them alone: copied when one changes.
            tokens=state.tokens,
            wearers=dict(state.wearers),
            grids=dict(state.grids),
            canaried=state.canaried,
            strays=list(state.strays),
        )


def named_release(draft: Draft, action: Action) -> tuple[Adapter, Release]:
    """Return the release that an act names, with its line; raises Invalid."""
    line = draft.lines.get(AdapterName.parse(action.adapter))
    if line is None:
        raise Invalid(f"no adapter {action.adapter}")
    release = line.by_digest.get(Digest.parse(action.digest))
    if release is None:
        raise Invalid(f"no release {action.digest} of {action.adapter}")
    return line, release


def with_release(line: Adapter, release: Release) -> Adapter:
    """Return a line with a release that is new or changed."""
    return replace(
        line,
        by_version=MappingProxyType({**line.by_version, release.version: release}),
        by_digest=MappingProxyType({**line.by_digest, release.digest: release}),
    )


def change(draft: Draft, line: Adapter, release: Release) -> Effect:
    """Put a changed release into its line."""
    draft.lines.put(with_release(line, release))
    return DONE
