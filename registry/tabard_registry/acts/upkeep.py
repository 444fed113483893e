# SPDX-License-Identifier: Apache-2.0
"""Acts on the registry itself: collections of garbage, keys, policies of namespaces."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tabard_registry.acts.act import Act, Plan
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.keys import Key, Policy
from tabard_registry.state.state import State

DIGESTS_PER_COLLECTION_MAX = 4_000
"""Most digests that one record condemns: they must fit into it."""


def begin_collection(
    digests: Collection[Digest], *, judge: Callable[[State, Digest], bool] | None = None
) -> Act:
    """Plan to condemn those of some blobs that no release needs at that position of the log.

    Args:
        digests: The blobs.
        judge: `is_needed`, or a quicker one of those who ask for thousands.
    """
    needed = judge or is_needed

    def plan(state: State) -> Plan:
        garbage = sorted({digest.hex for digest in digests if not needed(state, digest)})
        if not garbage:
            return Plan(action=None)
        return Plan(action=Action(type="gc_intent", summary={"digests": garbage}))

    return Act(plan=plan, is_same=lambda found: found.type == "gc_intent")


def end_collection(intent_seq: int) -> Act:
    """Plan to say that everything which a collection condemned is deleted."""

    def plan(state: State) -> Plan:
        if intent_seq not in state.gc_open:
            return Plan(action=None)
        return Plan(action=Action(type="gc_done", summary={"intent": intent_seq}))

    return Act(plan=plan, is_same=lambda found: found.type == "gc_done")


def set_key(key: Key) -> Act:
    """Plan to trust a key in its namespace, or to revoke it."""
    action = Action(type="key", adapter=key.namespace, summary=key.to_json())
    return _setting(action, is_so=lambda state: state.keys.get(key.path) == key)


def set_policy(policy: Policy) -> Act:
    """Plan to change what a namespace asks of its releases."""
    summary = {"require_signature": policy.require_signature}
    action = Action(type="policy", adapter=policy.namespace, summary=summary)
    return _setting(action, is_so=lambda state: state.policies.get(policy.namespace) == policy)


def _setting(action: Action, *, is_so: Callable[[State], bool]) -> Act:
    AdapterName(action.adapter, "any")

    def plan(state: State) -> Plan:
        return Plan(action=None if is_so(state) else action)

    def is_same(found: Action) -> bool:
        wanted = (action.type, action.adapter, action.summary)
        return (found.type, found.adapter, found.summary) == wanted

    return Act(plan=plan, is_same=is_same)


def is_needed(state: State, digest: Digest) -> bool:
    """Whether a release that was not purged needs a blob."""
    return any(
        digest in release.blobs and not release.purged
        for name in state.adapters.names_with(digest.hex)
        for release in state.adapters[name].by_digest.values()
    )
