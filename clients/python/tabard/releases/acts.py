# SPDX-License-Identifier: Apache-2.0
"""What an act on releases answers: a channel moved, a release changed, a recipe published.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabard.releases.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMove:
    """One move of a channel, by promotion or rollback.

    Attributes:
        adapter: `namespace/name`.
        channel: The channel's name.
        previous_digest: Release before; empty if the channel is new.
        previous_version: Its version.
        digest: Release now.
        version: Its version.
        seq: Log position of the move.
        moved: False when the channel already pointed there.
    """

    adapter: str
    channel: str
    previous_digest: str
    previous_version: str
    digest: str
    version: str
    seq: int
    moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseChange:
    """The answer to an act on one release: a withdrawal, its undoing, an edit, a signature.

    Attributes:
        release: The release as it is now.
        changed: False when it was so already: nothing was written, and the reason was not taken.
        channels: The channels that point to it.
    """

    release: Release
    changed: bool
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRecipe:
    """The answer to a recipe; `created` is False when the same one was there before.

    `untaken` is as of `Published`.
    """

    release: Release
    created: bool
    untaken: tuple[str, ...] = ()
