# SPDX-License-Identifier: Apache-2.0
"""A state as plain values, whatever it was made from: a checkpoint, the log, or both."""

from __future__ import annotations

from tabard_registry.state.state import State


def to_plain(state: State) -> object:
    """Everything that a state says, as plain values: two states say the same or they do not."""
    lines = [
        (
            str(name),
            sorted(line.by_version.items()),
            sorted((str(digest), release) for digest, release in line.by_digest.items()),
            sorted(line.channels.items()),
            list(line.events),
            list(line.canaries),
        )
        for name, line in state.adapters.items()
    ]
    return (
        lines,
        (state.registry_id, state.seq, state.head, dict(state.acted), state.denied),
        (dict(state.collected), state.gc_seq, state.gc_open),
        (dict(state.keys), dict(state.policies), list(state.strays)),
        (list(state.tokens.items()), dict(state.wearers), dict(state.grids), state.canaried),
    )
