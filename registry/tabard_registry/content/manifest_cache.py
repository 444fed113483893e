# SPDX-License-Identifier: Apache-2.0
"""Answers of the registry that need both a snapshot and what was done: moves, cached manifests."""

from __future__ import annotations

import threading
from collections import OrderedDict

from tabard_registry.content.blobs import Blobs
from tabard_registry.refs.digest import Digest
from tabard_registry.release.manifest import MANIFEST_BYTES_MAX, Manifest

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
