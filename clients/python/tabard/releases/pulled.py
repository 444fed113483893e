# SPDX-License-Identifier: Apache-2.0
"""The files of a release as they lie here after a pull.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabard.releases.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledFile:
    """One file of a release as it lies here; its bytes were seen to have this digest."""

    path: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """The answer to a pull: the release that the ref means, and its files."""

    release: Release
    files: tuple[PulledFile, ...]
