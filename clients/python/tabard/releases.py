# SPDX-License-Identifier: Apache-2.0
"""The registry's values as the SDK hands them out: releases, channels, moves, reports.

What happened is in `history`. Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tabard.notebook import table


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One release that a recipe wears, locked to its digest, and how strongly it acts there."""

    adapter: str
    version: str
    digest: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSignature:
    """A publisher's word for a release: Ed25519 over its digest, base64, by a trusted key."""

    key_id: str
    signature: str
    seq: int


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
        title: What people call it, in any script; may be empty.
        training: Metadata the trainer left in the file.
        seq: Log position of the publication.
        published_at: RFC 3339, UTC.
        published_by: Who published it.
        yanked: True while it takes no new resolution by channel and range.
        yank_reason: Why it was yanked.
        parent_digest: The release it succeeds, if the author said so.
        publish_reason: Why it was published; may be empty.
        quarantined: True while nobody is served with it.
        quarantine_reason: Why it was quarantined.
        purged: True when its bytes were deleted for good.
        purge_reason: Why it was purged.
        members: What a recipe combines; empty for every other kind.
        troubled_members: Members that were yanked, quarantined or purged since, as
            `namespace/name@version`.
        signatures: Who vouches for it.
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
    publish_reason: str = ""
    quarantined: bool = False
    quarantine_reason: str = ""
    purged: bool = False
    purge_reason: str = ""
    members: tuple[Member, ...] = ()
    troubled_members: tuple[str, ...] = ()
    signatures: tuple[ReleaseSignature, ...] = ()
    title: str = ""

    @property
    def state(self) -> str:
        """Return what its gravest withdrawal is: `purged`, `quarantined`, `yanked` or `live`."""
        gravest = (
            ("purged", self.purged),
            ("quarantined", self.quarantined),
            ("yanked", self.yanked),
        )
        return next((word for word, is_so in gravest if is_so), "live")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A movable pointer of an adapter; `seq` is the log position of its last move."""

    name: str
    digest: str
    version: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A release line: its releases by descending SemVer and its channels by name.

    `release_count` is the number of its releases.
    """

    name: str
    releases: tuple[Release, ...]
    channels: tuple[Channel, ...]
    release_count: int = 0

    def _repr_html_(self) -> str:
        """Show its releases in a notebook, newest first, with what points to each."""
        pointers: dict[str, list[str]] = {}
        for channel in self.channels:
            pointers.setdefault(channel.digest, []).append(channel.name)
        return table(
            self.name,
            ("version", "channels", "kind", "state", "triggers", "notes", "published", "by"),
            (
                (
                    release.version,
                    ", ".join(pointers.get(release.digest, ())),
                    release.kind,
                    release.state,
                    ", ".join(release.trigger_words),
                    release.notes,
                    release.published_at,
                    release.published_by,
                )
                for release in self.releases
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason why a file is refused, or a warning about it, with its remedy."""

    reason: str
    message: str
    remedy: str
    keys: tuple[str, ...]
    is_warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of one kind of modules of the base a file changes.

    Attributes:
        component: `unet` or a text encoder.
        kind: `attention`, `feed_forward`, `projection`, `convolution`, `norm`, `bias` or `other`.
        changed: How many it changes.
        total: How many the base has.
    """

    component: str
    kind: str
    changed: int
    total: int


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
        training: Metadata that the trainer left.
        mode: `rows` beside other adapters, or `merged` into a copy of the base; empty for neither.
        alphas: Every alpha that was resolved, smallest first; the first few.
        methods: Method to the number of layers it changes.
        coverage: What of the base is changed.
        base_family: Family of the base that it was checked against.
        base_fingerprint: Fingerprint of that base.
        base_match: What the file says of its own base: `same`, `family` or nothing; never proof.
        declared: The file's own words about its base.
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
    training: Mapping[str, str] = field(default_factory=dict)
    mode: str = ""
    alphas: tuple[float, ...] = ()
    methods: Mapping[str, int] = field(default_factory=dict)
    coverage: tuple[Coverage, ...] = ()
    base_family: str = ""
    base_fingerprint: str = ""
    base_match: str = ""
    declared: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The answer to a publish; `created` is False when the same bytes were there before.

    `untaken` names the words that were said and are not those of the release: `edit` takes them.
    """

    release: Release
    created: bool
    report: CheckReport
    untaken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRecipe:
    """The answer to a recipe; `created` is False when the same one was there before.

    `untaken` is as of `Published`.
    """

    release: Release
    created: bool
    untaken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the digest of a release stands for; `content` was seen to have that digest."""

    release: Release
    content: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """The content, read."""
        read: dict[str, Any] = json.loads(self.content)
        return read

    @property
    def original_digests(self) -> tuple[str, ...]:
        """`sha256:…` of the files as the author sent them."""
        return tuple(str(digest) for _name, digest, _bytes in self.document["original"])


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """A release line that has the words.

    Attributes:
        adapter: `namespace/name`.
        snippet: The words around what was found; empty when that is its name.
        release_count: How many releases it has.
        found_in: What holds the words: `name`, `title`, `trigger words`, `notes`, ….
        version: The newest of its releases that says the best of it.
    """

    adapter: str
    snippet: str
    release_count: int
    found_in: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependents:
    """What depends on a release.

    Attributes:
        release: The release.
        channels: Channels that point to it.
        recipes: Recipes that are locked to it, `namespace/name@version`; the first few.
        recipe_count: How many recipes there are.
        job_count: Jobs of the server that was asked that wear it now.
    """

    release: Release
    channels: tuple[str, ...]
    recipes: tuple[str, ...]
    recipe_count: int
    job_count: int


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
