# SPDX-License-Identifier: Apache-2.0
"""States that go through a checkpoint."""

from __future__ import annotations

from tabard_registry import State
from tabard_registry.checkpoint import Checkpoints
from tests.registry.fakes import MemoryStore
from tests.registry.random_logs import LINES

INK, OIL = LINES


def kept(state: State, store: MemoryStore | None = None) -> tuple[str, State]:
    """The key of a state's checkpoint, and the state read from it."""
    checkpoints = Checkpoints(store or MemoryStore(), registry_id=state.registry_id)
    key = checkpoints.write(state)
    return key, checkpoints.read(key)


def key_of(state: State) -> str:
    """The name of a state's checkpoint, which follows from its content."""
    return kept(state)[0]
