# SPDX-License-Identifier: Apache-2.0
"""The registry's nouns as the SDK hands them out: releases, channels, moves, records, reports.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One immutable version of an adapter.

    Attributes:
        adapter: `namespace/name`.
        version: SemVer.
        digest: `sha256:…` of the manifest; pins every byte that shapes the image.
        kind: `lora`, `textual_inversion`, `dreambooth` or `recipe`.
        purpose: `concept`, `style`, `subject` or empty.
        base_family: Family of the base it was checked against, e.g. `sd1`.
        base_fingerprint: That base's fingerprint.
        trigger_words: Words or placeholder tokens that wake it in a prompt.
        rank: Largest rank; 0 for textual inversion.
        target_count: Base layers changed, or vectors of a textual inversion.
        original_bytes: Size of the published files.
        dialect: Who wrote the file: `kohya`, `diffusers`, `peft`, ….
        notes: The author's words.
        licence: SPDX id or free text.
        training: Metadata the trainer left in the file.
        seq: Log position of the publication.
        published_at: RFC 3339, UTC.
        published_by: Who published it.
        yanked: True while it takes no new resolution by channel.
        yank_reason: Why it was yanked.
        parent_digest: The release it succeeds, if the author said so.
    """

    adapter: str
    version: str
    digest: str
    kind: str
    purpose: str
    base_family: str
    base_fingerprint: str
    trigger_words: tuple[str, ...]
    rank: int
    target_count: int
    original_bytes: int
    dialect: str
    notes: str
    licence: str
    training: Mapping[str, str]
    seq: int
    published_at: str
    published_by: str
    yanked: bool
    yank_reason: str
    parent_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A movable pointer of an adapter; `seq` is the log position of its last move."""

    name: str
    digest: str
    version: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A release line: its releases by descending SemVer and its channels by name."""

    name: str
    releases: tuple[Release, ...]
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason why a file is refused, or a warning about it, with its remedy."""

    reason: str
    message: str
    remedy: str
    keys: tuple[str, ...]
    is_warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What the intake says of a file against one base.

    Attributes:
        accepted: True when it would be published.
        kind: What it is; empty when that could not be told.
        dialect: Who wrote it.
        rank: Largest rank.
        target_count: Base layers it changes.
        tensor_count: Tensors in the file.
        tensors_applied: Tensors understood; equal to `tensor_count` when accepted.
        trigger_words: Found in the file or given.
        problems: Everything that is wrong, and warnings.
        resident_bytes: Memory it takes when resident.
    """

    accepted: bool
    kind: str
    dialect: str
    rank: int
    target_count: int
    tensor_count: int
    tensors_applied: int
    trigger_words: tuple[str, ...]
    problems: tuple[Problem, ...]
    resident_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The answer to a publish; `created` is False when the same bytes were there before."""

    release: Release
    created: bool
    report: CheckReport


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
class Action:
    """One act within a record; not `effective` when the log holds it but it changed nothing."""

    type: str
    adapter: str
    digest: str
    version: str
    channel: str
    previous_digest: str
    effective: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that happened, as the log holds it; `seq` is the only order there is."""

    seq: int
    id: str
    time: str
    actor: str
    reason: str
    actions: tuple[Action, ...]
    prev: str
