# SPDX-License-Identifier: Apache-2.0
"""The state of a registry at one log position: immutable, and what every read is answered from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

from tabard_registry.errors import NotFound, PreconditionFailed, RegistryError
from tabard_registry.identity.tokens import Token
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import (
    DEFAULT_CHANNEL,
    AdapterName,
    AdapterRef,
    ByChannel,
    ByDigest,
    ByRange,
    ByVersion,
)
from tabard_registry.refs.version_range import VersionRange
from tabard_registry.release.health import GridNote
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.keys import Key, Policy
from tabard_registry.release.manifest import Member
from tabard_registry.release.release import Adapter, Channel, Release
from tabard_registry.state.overlay import EMPTY, Overlay

REQUEST_WINDOW = 65_536
"""For how many records a request id is remembered. Part of the protocol."""
STRAYS_MAX = 1_000
"""How many acts without effect on unknown adapters are remembered. Part of the protocol."""

TOKENS_MAX = 10_000
"""How many tokens are kept; beyond, the oldest revoked one is forgotten. Part of the protocol."""

_NEAR_MAX = 5
_NEAR_NAMES_MAX = 1_000


def _no_numbers() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A snapshot.

    Attributes:
        registry_id: The registry.
        seq: Position of the last record folded in; 0 for none.
        head: Digest of that record's bytes, or of format.json.
        adapters: Release lines by name, perhaps millions: iterated in the order of the names' text.
        acted: Request ids with their positions; ask `acted_at`, which forgets old ones.
        denied: Digests of what was purged: releases and bytes that never come back.
        collected: Digests that a collection condemned, with its position: bytes that come back are
            stored under a new key.
        gc_seq: Position of the newest collection; 0 for none.
        gc_open: Collections that have not said that they are done.
        keys: Public keys by `namespace/id`.
        policies: What namespaces ask for.
        tokens: Tokens by id, in the order they were made; never part of an answer about the past.
        wearers: Release lines with a recipe that wears a member of another namespace, by that.
        canaried: Release lines with an open canary.
        grids: Grids by the namespace or release line that has them, oldest first.
        strays: The last acts without effect that belong to no adapter.
    """

    registry_id: str
    seq: int
    head: Digest
    adapters: Overlay = field(default_factory=lambda: EMPTY)
    acted: Mapping[str, int] = field(default_factory=_no_numbers)
    denied: frozenset[str] = frozenset()
    collected: Mapping[str, int] = field(default_factory=_no_numbers)
    gc_seq: int = 0
    gc_open: frozenset[int] = frozenset()
    keys: Mapping[str, Key] = field(default_factory=lambda: MappingProxyType({}))
    policies: Mapping[str, Policy] = field(default_factory=lambda: MappingProxyType({}))
    tokens: Mapping[str, Token] = field(default_factory=lambda: MappingProxyType({}))
    wearers: Mapping[str, frozenset[AdapterName]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    grids: Mapping[str, tuple[GridNote, ...]] = field(default_factory=lambda: MappingProxyType({}))
    canaried: frozenset[AdapterName] = frozenset()
    strays: tuple[HistoryEntry, ...] = ()

    def names(self, *, after: str = "") -> Iterator[AdapterName]:
        """Yield the names of release lines beyond a text, in the order of their texts."""
        return (name for name in self.adapters.names_from(after) if str(name) > after)

    def adapters_after(self, text: str = "", *, limit: int | None = None) -> tuple[Adapter, ...]:
        """Return release lines beyond a text, in the order of their names' texts."""
        return tuple(self.adapters[name] for name in islice(self.names(after=text), limit))

    def acted_at(self, request_id: str) -> int | None:
        """Return where a request id has acted, if the next record still has to remember it."""
        found = self.acted.get(request_id) if request_id else None
        return found if found is not None and found > self.seq + 1 - REQUEST_WINDOW else None

    def adapter(self, name: AdapterName) -> Adapter:
        """Return a release line.

        Raises:
            NotFound: There is none of that name; the hint lists near ones.
        """
        found = self.adapters.get(name)
        if found is None:
            near = list(islice(self.adapters.names_from(f"{name.namespace}/"), _NEAR_NAMES_MAX))
            known = near or islice(self.adapters, _NEAR_NAMES_MAX)
            raise NotFound(
                f"no adapter {name}",
                reason="ADAPTER_NOT_FOUND",
                hint=_near(str(name), known=map(str, known), what="adapters"),
            )
        return found

    def channel(self, name: AdapterName, *, channel: str) -> Channel:
        """Return a channel of a release line.

        Raises:
            NotFound: There is no such adapter or channel.
        """
        return _channel_of(self.adapter(name), channel=channel)

    def find(self, ref: AdapterRef) -> Release:
        """Return what a ref means in this snapshot, whether it may be served or not.

        Raises:
            NotFound: There is no such adapter, release or channel, or the abbreviated digest fits
                several releases.
        """
        adapter = self.adapter(ref.adapter)
        match ref.selector:
            case ByChannel(channel):
                return adapter.by_digest[_channel_of(adapter, channel=channel).digest]
            case ByVersion(version):
                release = adapter.by_version.get(version)
                if release is None:
                    raise _no_release(adapter, wanted=str(version))
                return release
            case ByDigest(prefix):
                return _by_digest(adapter, prefix=prefix)
            case ByRange(range):
                return _by_range(adapter, range=range)

    def resolve(self, ref: AdapterRef) -> Release:
        """Return what a ref means in this snapshot.

        A yanked release is found by exact version or digest, and refused by channel.

        Raises:
            NotFound: There is no such adapter, release or channel.
            PreconditionFailed: The release is quarantined or purged, or a channel points to a
                yanked one.
        """
        release = self.find(ref)
        refuse_withdrawn(release, ref=ref)
        if release.yanked and isinstance(ref.selector, ByChannel):
            raise PreconditionFailed(
                f"{ref.adapter}@{ref.selector} points to {release.version}, which was yanked: "
                f"{release.yank_reason}",
                reason="RELEASE_YANKED",
                hint=f"Roll the channel back, or pin {release} to use it all the same.",
            )
        return release

    def find_kept(self, ref: AdapterRef) -> Release:
        """Return what a ref means, as long as its bytes are there.

        Raises:
            NotFound: There is no such adapter, release or channel.
            PreconditionFailed: It was purged; the message says when, by whom, and why.
        """
        release = self.find(ref)
        if release.purged:
            events = reversed(self.adapter(release.adapter).events)
            mine = ("purge", str(release.digest), True)
            found = (one for one in events if (one.type, one.digest, one.effective) == mine)
            act = next(found, None)
            when = f" at {act.time} by {act.actor}" if act else ""
            raise PreconditionFailed(
                f"{release} was purged{when}: {release.purge_reason}",
                reason="RELEASE_PURGED",
                hint="Its bytes are gone for good; what the log says of it stays.",
            )
        return release

    def release_of(self, member: Member) -> Release | None:
        """Return the release that a recipe is locked to, or None."""
        line = self.adapters.get(member.adapter)
        return line.by_digest.get(member.digest) if line else None

    def troubled_members(self, release: Release) -> tuple[Release, ...]:
        """Return the members of a recipe that were yanked, quarantined or purged since."""
        found = (self.release_of(member) for member in release.members)
        return tuple(member for member in found if member and not member.is_choosable)


def remembered_requests(acted: Mapping[str, int], *, seq: int) -> dict[str, int]:
    """Drop the request ids that no record after `seq` has to remember."""
    return {key: at for key, at in acted.items() if at > seq + 1 - REQUEST_WINDOW}


def refuse_withdrawn(release: Release, *, ref: AdapterRef | None = None) -> None:
    """Refuse what nobody may be served with.

    Raises:
        PreconditionFailed: The release is purged or quarantined.
    """
    if not (release.purged or release.quarantined):
        return
    is_named = ref is None or isinstance(ref.selector, ByVersion)
    said = f"{release}" if is_named else f"{ref} is {release.version}, which"
    if release.purged:
        raise PreconditionFailed(
            f"{said} was purged: {release.purge_reason}",
            reason="RELEASE_PURGED",
            hint="Its bytes are gone: roll the channel back, or use another release.",
        )
    raise PreconditionFailed(
        f"{said} is quarantined: {release.quarantine_reason}",
        reason="RELEASE_QUARANTINED",
        hint="Roll the channel back, or lift the quarantine when the release is cleared.",
    )


def _channel_of(adapter: Adapter, *, channel: str) -> Channel:
    found = adapter.channels.get(channel)
    if found is None:
        raise _no_channel(adapter, channel=channel)
    return found


def _by_digest(adapter: Adapter, *, prefix: str) -> Release:
    found = [digest for digest in adapter.by_digest if digest.hex.startswith(prefix)]
    if not found:
        raise _no_release(adapter, wanted=f"sha256:{prefix}")
    if len(found) > 1:
        raise NotFound(
            f"sha256:{prefix} fits {len(found)} releases of {adapter.name}",
            reason="RELEASE_NOT_FOUND",
            hint="Write more digits of the digest.",
        )
    return adapter.by_digest[found[0]]


def _by_range(adapter: Adapter, *, range: VersionRange) -> Release:
    for version in sorted(filter(range.admits, adapter.by_version), reverse=True):
        release = adapter.by_version[version]
        if release.is_choosable:
            return release
    raise _no_release(adapter, wanted=str(range))


def _no_release(adapter: Adapter, *, wanted: str) -> RegistryError:
    versions = list(map(str, sorted(adapter.by_version, reverse=True)))
    return NotFound(
        f"no release {wanted} of {adapter.name}",
        reason="RELEASE_NOT_FOUND",
        hint=_near(wanted, known=versions, what="versions"),
    )


def _no_channel(adapter: Adapter, *, channel: str) -> RegistryError:
    hint = _near(channel, known=adapter.channels, what="channels")
    if not adapter.channels and adapter.by_version:
        newest = max(adapter.by_version)
        meant = next(iter(difflib.get_close_matches(channel, [DEFAULT_CHANNEL])), channel)
        question = f"Did you mean {meant}? " if meant != channel else ""
        hint = (
            f"{question}Nothing was promoted yet: promote {adapter.name}@{newest} to {meant}, "
            f"or pin @{newest}."
        )
    if channel[0] == "v" and channel[1:] in map(str, adapter.by_version):
        hint = f"A version has no `v` before it: write @{channel[1:]}."
    return NotFound(
        f"no channel {channel!r} of {adapter.name}", reason="CHANNEL_NOT_FOUND", hint=hint
    )


def _near(wanted: str, *, known: Iterable[str], what: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(wanted, names, n=_NEAR_MAX, cutoff=0.5)
    shown = [*near, *(name for name in names if name not in near)][:_NEAR_MAX]
    return f"Known {what}: {', '.join(shown)}." if shown else f"There are no {what} yet."
