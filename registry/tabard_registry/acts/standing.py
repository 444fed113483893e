# SPDX-License-Identifier: Apache-2.0
"""How a release stands: yanked, quarantined, purged; each on exactly one release, with a reason."""

from __future__ import annotations

from collections.abc import Callable

from tabard_registry.acts.act import Act, Plan, action_on
from tabard_registry.errors import InvalidField, PreconditionFailed
from tabard_registry.log.records import Action
from tabard_registry.refs.names import AdapterRef, ByDigest, ByVersion
from tabard_registry.release.release import Release
from tabard_registry.state.state import State

_SHARERS_NAMED_MAX = 5


def set_yanked(ref: AdapterRef, *, yanked: bool) -> Act[Release]:
    """Plan to yank the one release that an exact ref names, or to undo that."""
    kind, said = ("yank", "a yank") if yanked else ("unyank", "an unyank")
    return _standing(ref, kind=kind, said=said, is_so=lambda found: found.yanked == yanked)


def set_quarantined(ref: AdapterRef, *, quarantined: bool) -> Act[Release]:
    """Plan to quarantine one release, or to lift that."""
    kind, said = ("quarantine", "a quarantine") if quarantined else ("lift", "a lift")
    return _standing(
        ref, kind=kind, said=said, is_so=lambda found: found.quarantined == quarantined
    )


def purge(ref: AdapterRef) -> Act[Release]:
    """Plan to deny-list one release and its bytes for good; the bytes are deleted afterwards.

    Its plan raises PreconditionFailed when another release needs the same bytes (BYTES_SHARED).
    """
    return _standing(
        ref, kind="purge", said="a purge", is_so=lambda found: found.purged, check=_refuse_shared
    )


def refuse_inexact(ref: AdapterRef) -> None:
    """Refuse a ref that may mean another release tomorrow.

    Raises:
        InvalidField: It names a channel or a range (EXACT_REF_REQUIRED).
    """
    if not isinstance(ref.selector, ByVersion | ByDigest):
        raise InvalidField(
            f"{ref} may mean another release tomorrow",
            reason="EXACT_REF_REQUIRED",
            hint=f"Name the release: `{ref.adapter}@1.2.0` or `{ref.adapter}@sha256:…`; "
            f"`tabard show {ref.adapter}` lists them.",
        )


def _standing(
    ref: AdapterRef,
    *,
    kind: str,
    said: str,
    is_so: Callable[[Release], bool],
    check: Callable[[State, Release], None] = lambda _state, _release: None,
) -> Act[Release]:
    refuse_inexact(ref)

    def plan(state: State) -> Plan:
        release = state.find(ref)
        if is_so(release):
            return Plan(action=None)
        check(state, release)
        return Plan(action=action_on(kind, release))

    def is_same(found: Action) -> bool:
        return (found.type, found.adapter) == (kind, str(ref.adapter))

    return Act(
        plan=plan,
        is_same=is_same,
        answer=lambda state, _landed: state.find(ref),
        reasoned=said,
    )


def _refuse_shared(state: State, release: Release) -> None:
    sharers = {
        str(other)
        for digest in release.blobs
        for name in state.adapters.names_with(digest.hex)
        for other in state.adapters[name].by_digest.values()
        if digest in other.blobs and other != release and not other.purged
    }
    if sharers:
        # Whoever purges here need not see another namespace that is private.
        own = release.adapter.namespace
        private = {name for name, one in state.policies.items() if one.private} - {own}
        named = sorted(one for one in sharers if one.partition("/")[0] not in private)
        who = ", ".join(named[:_SHARERS_NAMED_MAX]) or "releases of other namespaces"
        raise PreconditionFailed(
            f"{release} shares its bytes with {who}",
            reason="BYTES_SHARED",
            hint="Quarantine it, or publish the others from other files before purging this one.",
        )
