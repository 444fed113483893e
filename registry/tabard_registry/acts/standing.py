# SPDX-License-Identifier: Apache-2.0
"""How a release stands: yanked, quarantined, purged, signed; each on exactly one release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tabard_registry.acts.act import Act, Plan, action_on
from tabard_registry.errors import InvalidField, NotFound, PreconditionFailed
from tabard_registry.log.records import Action
from tabard_registry.refs.names import AdapterRef, ByDigest, ByVersion
from tabard_registry.release.release import Release
from tabard_registry.state.state import State

_SHARERS_NAMED_MAX = 5


def set_yanked(ref: AdapterRef, *, yanked: bool) -> Act:
    """Plan to yank or unyank the one release that an exact ref names."""
    kind = "yank" if yanked else "unyank"

    def plan(state: State) -> Plan:
        release = state.find(ref)
        return Plan(action=None if release.yanked == yanked else action_on(kind, release))

    return _act(ref, plan=plan, kind=kind)


def set_quarantined(ref: AdapterRef, *, quarantined: bool) -> Act:
    """Plan to quarantine one release, or to lift that."""
    kind = "quarantine" if quarantined else "lift"

    def plan(state: State) -> Plan:
        release = state.find(ref)
        return Plan(action=None if release.quarantined == quarantined else action_on(kind, release))

    return _act(ref, plan=plan, kind=kind)


def purge(ref: AdapterRef) -> Act:
    """Plan to deny-list one release and its bytes for good; the bytes are deleted afterwards."""

    def plan(state: State) -> Plan:
        release = state.find(ref)
        if release.purged:
            return Plan(action=None)
        _refuse_shared(state, release)
        return Plan(action=action_on("purge", release))

    return _act(ref, plan=plan, kind="purge")


def sign(ref: AdapterRef, *, key_id: str, signature: str) -> Act:
    """Plan to put a signature beside one release. Whether it is true is checked elsewhere."""

    def plan(state: State) -> Plan:
        release = state.find(ref)
        key = state.keys.get(f"{ref.adapter.namespace}/{key_id}")
        if key is None or key.revoked:
            raise NotFound(
                f"{ref.adapter.namespace} trusts no key {key_id}",
                reason="KEY_NOT_FOUND",
                hint="Let the owner of the namespace add the key first.",
            )
        if any((s.key_id, s.signature) == (key_id, signature) for s in release.signatures):
            return Plan(action=None)
        summary = {"key": key_id, "signature": signature}
        return Plan(action=replace(action_on("sign", release), summary=summary))

    return _act(ref, plan=plan, kind="sign")


def _act(ref: AdapterRef, *, plan: Callable[[State], Plan], kind: str) -> Act:
    if not isinstance(ref.selector, ByVersion | ByDigest):
        raise InvalidField(
            f"{ref} may mean another release tomorrow",
            reason="EXACT_REF_REQUIRED",
            hint="Name the release: `namespace/name@1.2.0` or `namespace/name@sha256:…`.",
        )

    def is_same(found: Action) -> bool:
        return (found.type, found.adapter) == (kind, str(ref.adapter))

    return Act(plan=plan, is_same=is_same)


def _refuse_shared(state: State, release: Release) -> None:
    sharers = {
        str(other)
        for digest in release.blobs
        for name in state.adapters.names_with(digest.hex)
        for other in state.adapters[name].by_digest.values()
        if digest in other.blobs and other != release and not other.purged
    }
    if sharers:
        raise PreconditionFailed(
            f"{release} shares its bytes with {', '.join(sorted(sharers)[:_SHARERS_NAMED_MAX])}",
            reason="BYTES_SHARED",
            hint="Quarantine it, or publish the others from other files before purging this one.",
        )
