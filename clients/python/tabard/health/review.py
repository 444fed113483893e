# SPDX-License-Identifier: Apache-2.0
"""What people say of releases, and what a promotion lacks, as the SDK tells it.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabard.access.identity import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingForGate:
    """One thing that a release lacks for a channel.

    Attributes:
        what: What is missing, in words.
        role: The role in the namespace that it takes.
        how: What its holder does.
        overridable: Whether a promotion with an override and its reason does without it.
        names: Holders of tokens who could, as far as the caller may know of tokens.
        has_others: Whether there may be others who could, of whom the caller is not told.
    """

    what: str
    role: str
    how: str
    overridable: bool
    names: tuple[str, ...]
    has_others: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyExplanation:
    """What stands between a release and a channel.

    Attributes:
        adapter: `namespace/name` of the release.
        version: Its version.
        digest: Its digest.
        channel: The channel.
        gates: What the channel asks for, by pattern; all of them.
        missing: What the release lacks; nothing: it may be promoted.
        override_suffices: Whether a promotion with an override would do now.
    """

    adapter: str
    version: str
    digest: str
    channel: str
    gates: Mapping[str, Gate]
    missing: tuple[MissingForGate, ...]
    override_suffices: bool
