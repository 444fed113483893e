# SPDX-License-Identifier: Apache-2.0
"""The state of a registry at one log position: immutable, and what every read is answered from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from livery_registry.digest import Digest
from livery_registry.errors import NotFound, PreconditionFailed, RegistryError
from livery_registry.names import AdapterName, AdapterRef, ByChannel, ByDigest, ByVersion
from livery_registry.release import Adapter, Channel, Release

_NEAR_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A snapshot.

    Attributes:
        registry_id: The registry.
        seq: Position of the last record folded in; 0 for none.
        head: Digest of that record's bytes, or of format.json.
        adapters: Release lines by name.
        acted: Request ids that have acted, with the position of their record.
    """

    registry_id: str
    seq: int
    head: Digest
    adapters: Mapping[AdapterName, Adapter]
    acted: Mapping[str, int]

    def adapter(self, name: AdapterName) -> Adapter:
        """Return a release line.

        Raises:
            NotFound: There is none of that name; the hint lists near ones.
        """
        found = self.adapters.get(name)
        if found is None:
            raise NotFound(
                f"no adapter {name}",
                reason="ADAPTER_NOT_FOUND",
                hint=_near(str(name), known=map(str, self.adapters), what="adapters"),
            )
        return found

    def channel(self, name: AdapterName, *, channel: str) -> Channel:
        """Return a channel of a release line.

        Raises:
            NotFound: There is no such adapter or channel.
        """
        adapter = self.adapter(name)
        found = adapter.channels.get(channel)
        if found is None:
            raise _no_channel(adapter, channel=channel)
        return found

    def resolve(self, ref: AdapterRef) -> Release:
        """Return what a ref means in this snapshot.

        A yanked release is found by exact version or digest, and refused by channel.

        Raises:
            NotFound: There is no such adapter, release or channel.
            PreconditionFailed: The channel points to a yanked release, or the abbreviated digest
                fits several releases.
        """
        adapter = self.adapter(ref.adapter)
        match ref.selector:
            case ByChannel(channel):
                return self._by_channel(adapter, channel=channel)
            case ByVersion(version):
                release = adapter.by_version.get(version)
                if release is None:
                    raise _no_release(adapter, wanted=str(version))
                return release
            case ByDigest(prefix):
                return _by_digest(adapter, prefix=prefix)

    def _by_channel(self, adapter: Adapter, *, channel: str) -> Release:
        pointer = self.channel(adapter.name, channel=channel)
        release = adapter.by_digest[pointer.digest]
        if release.yanked:
            raise PreconditionFailed(
                f"{adapter.name}@{channel} points to {release.version}, which was yanked: "
                f"{release.yank_reason}",
                reason="RELEASE_YANKED",
                hint=f"Roll the channel back, or pin {release} to use it all the same.",
            )
        return release


def _by_digest(adapter: Adapter, *, prefix: str) -> Release:
    found = [r for digest, r in adapter.by_digest.items() if digest.hex.startswith(prefix)]
    if not found:
        raise _no_release(adapter, wanted=f"sha256:{prefix}")
    if len(found) > 1:
        raise NotFound(
            f"sha256:{prefix} fits {len(found)} releases of {adapter.name}",
            reason="RELEASE_NOT_FOUND",
            hint="Write more digits of the digest.",
        )
    return found[0]


def _no_release(adapter: Adapter, *, wanted: str) -> RegistryError:
    versions = [str(release.version) for release in adapter.releases]
    return NotFound(
        f"no release {wanted} of {adapter.name}",
        reason="RELEASE_NOT_FOUND",
        hint=_near(wanted, known=versions, what="versions"),
    )


def _no_channel(adapter: Adapter, *, channel: str) -> RegistryError:
    hint = _near(channel, known=adapter.channels, what="channels")
    if not adapter.channels and adapter.releases:
        newest = adapter.releases[0]
        hint = f"Nothing was promoted yet: promote {newest} to {channel}, or pin @{newest.version}."
    return NotFound(
        f"no channel {channel!r} of {adapter.name}", reason="CHANNEL_NOT_FOUND", hint=hint
    )


def _near(wanted: str, *, known: Iterable[str], what: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(wanted, names, n=_NEAR_MAX, cutoff=0.5) or names[:_NEAR_MAX]
    return f"Known {what}: {', '.join(near)}." if near else f"There are no {what} yet."
