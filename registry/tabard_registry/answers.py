# SPDX-License-Identifier: Apache-2.0
"""Answers of the registry that need both a snapshot and what was done: moves, cached manifests."""

from __future__ import annotations

import threading
from collections import OrderedDict

from tabard_registry.blobs import Blobs
from tabard_registry.digest import Digest
from tabard_registry.group import Landed
from tabard_registry.manifest import MANIFEST_BYTES_MAX, Manifest
from tabard_registry.names import AdapterName
from tabard_registry.release import ChannelMove
from tabard_registry.state import State

MANIFESTS_CACHED_MAX = 256
"""How many manifests are kept in memory."""


class Manifests:
    """Manifests by digest, verified, the last few kept. Thread-safe."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._kept: OrderedDict[Digest, Manifest] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: Digest) -> Manifest:
        """Return a manifest.

        Raises:
            NotFound: There is no such blob.
            CorruptRegistry: The blob is damaged.
        """
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        found = Manifest.from_bytes(self._blobs.read(digest, bytes_max=MANIFEST_BYTES_MAX))
        with self._lock:
            self._kept[digest] = found
            while len(self._kept) > MANIFESTS_CACHED_MAX:
                self._kept.popitem(last=False)
        return found


def describe_move(
    state: State, landed: Landed | None, *, adapter: AdapterName, channel: str
) -> ChannelMove:
    """Say what an act moved, or that nothing had to move (None)."""
    line = state.adapter(adapter)
    if landed is None:
        pointer = line.channels[channel]
        current = line.by_digest[pointer.digest]
        return ChannelMove(
            adapter=adapter,
            channel=channel,
            previous=current,
            current=current,
            seq=pointer.seq,
            moved=False,
        )
    previous = landed.effect.previous_digest
    return ChannelMove(
        adapter=adapter,
        channel=channel,
        previous=line.by_digest[previous] if previous else None,
        current=line.by_digest[Digest.parse(landed.action.digest)],
        seq=landed.seq,
        moved=True,
    )
