# SPDX-License-Identifier: Apache-2.0
"""Whether a release may be served now: its own standing, its recipe's members, its signatures.

A pure question to a snapshot, asked for every request: microseconds once signatures are known.
"""

from __future__ import annotations

from tabard_registry.errors import PreconditionFailed
from tabard_registry.release.release import Release
from tabard_registry.state.state import State, refuse_withdrawn
from tabard_registry.trust.signatures import Verifier, check_signed

_NAMED_MAX = 5


def check_servable(state: State, release: Release, *, verifier: Verifier) -> None:
    """Refuse a release that nobody may be served with, as this snapshot has it.

    A yanked release or member may be served: who pinned it keeps it.

    Raises:
        PreconditionFailed: The release was withdrawn (RELEASE_PURGED, RELEASE_QUARANTINED), or a
            member of it was (MEMBER_NOT_SERVABLE), or the namespace of one of them asks for a
            signature that is not there (SIGNATURE_REQUIRED) or not true (SIGNATURE_INVALID).
    """
    line = state.adapters.get(release.adapter)
    current = line.by_digest.get(release.digest, release) if line else release
    refuse_withdrawn(current)
    check_signed(state, current, verifier=verifier)
    if not current.members:
        return
    members = [(f"{one.adapter}@{one.version}", state.release_of(one)) for one in current.members]
    troubles = [trouble for name, found in members if (trouble := _trouble(name, found))]
    if troubles:
        raise PreconditionFailed(
            f"{current} combines {', '.join(troubles[:_NAMED_MAX])}",
            reason="MEMBER_NOT_SERVABLE",
            hint="Publish the recipe anew without what was withdrawn, or roll its channel back; "
            "what is quarantined may be lifted.",
        )
    for _, found in members:
        if found is not None:
            check_signed(state, found, verifier=verifier)


def _trouble(name: str, found: Release | None) -> str:
    if found is None:
        return f"{name}, which is not in this registry"
    if found.purged:
        return f"{found}, which was purged: {found.purge_reason}"
    if found.quarantined:
        return f"{found}, which is quarantined: {found.quarantine_reason}"
    return ""
