# SPDX-License-Identifier: Apache-2.0
"""A release, and the line it stands in with its channels.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def judged_as(*, purpose: str, kind: str) -> str:
    """Say as what a release is judged: by its purpose, else by what its kind is mostly for.

    That chooses the grid that it is drawn with, and what its pictures have to hold.
    """
    by_kind = {"textual_inversion": "concept", "dreambooth": "subject"}
    return purpose or by_kind.get(kind, "style")


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
        previews_digest: Digest of the newest document of pictures that show it; empty: there is
            none. `evidence_document` gives it, `evidence_picture` its pictures.
        sampling: How it wants to be sampled, and who says so (`sources`); empty: nobody did.
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
    previews_digest: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)

    @property
    def judged_as(self) -> str:
        """As what it is judged: `concept`, `style` or `subject`."""
        return judged_as(purpose=self.purpose, kind=self.kind)

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
        from tabard.notebook import table  # noqa: PLC0415 - only notebooks need it

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
