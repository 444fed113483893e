# SPDX-License-Identifier: Apache-2.0
"""Who is served the candidate of a canary: a sticky share of those who ask by its channel. Pure."""

import hashlib

from tabard_registry import AdapterRef, ByChannel, Release, State
from tabard_registry.state.canaries import open_canary
from tabard_server.jobs.job import JobSpec

_RANGE = float(1 << 64)


def canary_for(spec: JobSpec, ref: AdapterRef, *, state: State) -> Release | None:
    """Return the candidate that a request is served in place of what its channel points to.

    None for most: no canary is open there, the caller declined, or is not of the share. Exact pins
    and ranges are what they say. Who is not known and sends no key is served the channel.
    """
    if spec.declines_canary or ref.adapter not in state.canaried:
        return None
    if not isinstance(ref.selector, ByChannel):
        return None
    line = state.adapter(ref.adapter)
    canary = open_canary(line, channel=ref.selector.channel)
    key = spec.identity.name or spec.canary_key
    if canary is None or canary.is_promoted or not key:
        return None
    if not is_exposed(key, salt=canary.terms.salt, share=canary.share):
        return None
    return line.by_digest[canary.terms.candidate]


def is_candidate(release: Release, ref: AdapterRef, *, state: State) -> bool:
    """Say whether a release is what is tried now on the channel that a ref names."""
    if ref.adapter not in state.canaried or not isinstance(ref.selector, ByChannel):
        return False
    canary = open_canary(state.adapter(ref.adapter), channel=ref.selector.channel)
    return (
        canary is not None and not canary.is_promoted and canary.terms.candidate == release.digest
    )


def is_exposed(key: str, *, salt: str, share: float) -> bool:
    """Say whether a key is of a share: whoever was of a smaller one stays in a larger one."""
    digest = hashlib.sha256(f"{salt}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _RANGE < share
