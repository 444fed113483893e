# SPDX-License-Identifier: Apache-2.0
"""Collections of garbage: condemn blobs that no release needs, and say when they are deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tabard_registry.acts.act import Act, Landed, Plan
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest
from tabard_registry.state.state import State

DIGESTS_PER_COLLECTION_MAX = 4_000
"""Most digests that one record condemns: they must fit into it."""


def begin_collection(
    digests: Collection[Digest], *, is_needed: Callable[[State, Digest], bool]
) -> Act[Landed | None]:
    """Plan to condemn those of some blobs that no release needs at that position of the log.

    Args:
        digests: The blobs.
        is_needed: Whether a release that was not purged needs a blob.
    """

    def plan(state: State) -> Plan:
        garbage = sorted({digest.hex for digest in digests if not is_needed(state, digest)})
        if not garbage:
            return Plan(action=None)
        return Plan(action=Action(type="gc_intent", summary={"digests": garbage}))

    return _act("gc_intent", plan=plan)


def end_collection(intent_seq: int) -> Act[Landed | None]:
    """Plan to say that everything which a collection condemned is deleted."""

    def plan(state: State) -> Plan:
        if intent_seq not in state.gc_open:
            return Plan(action=None)
        return Plan(action=Action(type="gc_done", summary={"intent": intent_seq}))

    return _act("gc_done", plan=plan)


def _act(kind: str, *, plan: Callable[[State], Plan]) -> Act[Landed | None]:
    return Act(
        plan=plan, is_same=lambda found: found.type == kind, answer=lambda _state, landed: landed
    )
