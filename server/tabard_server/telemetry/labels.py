# SPDX-License-Identifier: Apache-2.0
"""What digests in memory are called, for those who look at a server: noted when they are asked for.

In: releases on their way into memory. Out: names and versions. Bounded; what was forgotten has no
name. A digest is found without searching a registry of millions.
"""

from collections import OrderedDict

from tabard_registry import Release

_LABELS_MAX = 16_384


class Labels:
    """Names and versions by digest, the last ones asked for. Asyncio thread."""

    def __init__(self) -> None:
        self._labels: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def note(self, release: Release) -> None:
        """Remember a release, and a recipe's members."""
        self._keep(str(release.digest), str(release.adapter), str(release.version))
        for member in release.members:
            self._keep(str(member.digest), str(member.adapter), str(member.version))

    def of(self, digest: str) -> tuple[str, str]:
        """Return name and version; both empty for a stranger."""
        return self._labels.get(digest, ("", ""))

    def _keep(self, digest: str, adapter: str, version: str) -> None:
        self._labels[digest] = (adapter, version)
        self._labels.move_to_end(digest)
        if len(self._labels) > _LABELS_MAX:
            self._labels.popitem(last=False)
