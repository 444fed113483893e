# SPDX-License-Identifier: Apache-2.0
"""The values of a registry's state and of its answers: releases, channels, drafts and moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tabard_registry.errors import InvalidField
from tabard_registry.identity.identity import Proof
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_registry.release.canary import Canary
from tabard_registry.release.health import NO_HEALTH, Health
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.manifest import (
    KINDS,
    PURPOSE_OF_KIND,
    PURPOSES,
    Manifest,
    Member,
    TokenVectors,
    tokens_from_json,
)
from tabard_registry.release.sampling import NO_SAMPLING, Sampling
from tabard_registry.release.words import Words

SUMMARY_TRAINING_KEYS_MAX = 48
"""Most training fields that the log repeats; the manifest has all."""
SUMMARY_TRAINING_CHARS_MAX = 200
"""Longest training field that the log repeats."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Expectation that a channel does not exist yet."""


ABSENT = Absent()
"""The one value of `Absent`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDraft:
    """What the author says of a release.

    Attributes:
        adapter: The release line.
        version: Its new version.
        purpose: `concept`, `style`, `subject`, or empty.
        notes: Free text.
        licence: SPDX id or free text.
        title: What people call it, in any script; empty: its name says it.
        trigger_words: Words that wake it; empty takes those of the report.
        parent: Digest of the release it succeeds.
        kind: The kind that the author insists on, or None.
        sampling: How it wants to be sampled; what is not said is taken of the report.

    Raises:
        InvalidField: A field is too long, has control characters or an unknown value.
    """

    adapter: AdapterName
    version: Version
    purpose: str = ""
    notes: str = ""
    licence: str = ""
    title: str = ""
    trigger_words: tuple[str, ...] = ()
    parent: Digest | None = None
    kind: str | None = None
    sampling: Sampling = NO_SAMPLING

    def __post_init__(self) -> None:
        Words.of(self).check()
        if self.kind not in (None, *KINDS):
            raise InvalidField(
                f"unknown kind {self.kind!r}",
                reason="FIELD_INVALID",
                hint=f"Kinds: {', '.join(KINDS)}.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A publisher's word for a release.

    Attributes:
        key_id: The key, as the registry knows it.
        signature: Ed25519 over the text of the digest, base64.
        seq: Log position.
    """

    key_id: str
    signature: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One immutable version of an adapter, as list and show need it: no blob is read for it.

    Attributes:
        adapter: The release line.
        version: Its version.
        digest: Digest of its manifest.
        kind: What it changes.
        purpose: Why it exists; may be empty.
        base_family: Family it was checked against.
        base_fingerprint: Fingerprint of that base.
        trigger_words: Words that wake it.
        tokens: Placeholder tokens it teaches.
        rank: Largest rank; 0 for textual inversion.
        target_count: Layers changed; for textual inversion the number of vectors.
        original: Digests of the author's files; none for a recipe.
        canonical: Digest of the one file that is served; None for a recipe.
        members: What a recipe combines; empty for every other kind.
        original_bytes: Bytes of the author's files.
        resident_bytes: Bytes of the canonical file.
        dialect: Who wrote the author's files.
        is_merged_only: Whether a part of it is not low-rank: only a merged copy can wear it.
        notes: Free text.
        licence: SPDX id or free text.
        title: What people call it, in any script; empty: its name says it.
        training: Short fields of the trainer's metadata; the manifest has all of them.
        parent: Digest of the release it succeeds.
        seq: Log position of its publication.
        published_at: Time of the writer, RFC 3339, UTC; informative only.
        published_by: Who published it.
        publish_reason: Why; may be empty.
        publish_proof: How the publisher has shown who they are; NONE: nobody checked.
        published_for: What a publisher who has shown that said of themselves beside it.
        yanked: Whether channels and ranges no longer resolve to it.
        yank_reason: Why; empty unless yanked.
        quarantined: Whether nobody may be served with it for now.
        quarantine_reason: Why; empty unless quarantined.
        purged: Whether its bytes were deleted for good.
        purge_reason: Why; empty unless purged.
        signatures: Who vouches for it.
        published_words: The words of its publication, which its digest covers; None as long as
            those above are them.
        sampling: How it wants to be sampled; its digest covers it.
        health: Evidence, reviews and votes.
    """

    adapter: AdapterName
    version: Version
    digest: Digest
    kind: str
    purpose: str
    base_family: str
    base_fingerprint: str
    trigger_words: tuple[str, ...]
    tokens: tuple[TokenVectors, ...]
    rank: int
    target_count: int
    original: tuple[Digest, ...]
    canonical: Digest | None
    members: tuple[Member, ...] = ()
    original_bytes: int
    resident_bytes: int
    dialect: str
    is_merged_only: bool = False
    notes: str
    licence: str
    title: str
    training: Mapping[str, str]
    parent: Digest | None
    seq: int
    published_at: str
    published_by: str
    publish_reason: str = ""
    publish_proof: Proof = Proof.NONE
    published_for: str = ""
    yanked: bool = False
    yank_reason: str = ""
    quarantined: bool = False
    quarantine_reason: str = ""
    purged: bool = False
    purge_reason: str = ""
    signatures: tuple[Signature, ...] = ()
    published_words: Words | None = None
    sampling: Sampling = NO_SAMPLING
    health: Health = NO_HEALTH

    def __post_init__(self) -> None:
        object.__setattr__(self, "training", MappingProxyType(dict(self.training)))

    @property
    def judged_as(self) -> str:
        """As what it is judged: by its purpose, else by what its kind is mostly for."""
        return self.purpose or PURPOSE_OF_KIND.get(self.kind, "style")

    @property
    def is_choosable(self) -> bool:
        """Whether a channel, a range or a rollback may choose it."""
        return not (self.yanked or self.quarantined or self.purged)

    @property
    def blobs(self) -> tuple[Digest, ...]:
        """Every blob that the release needs: manifest, canonical file, original files."""
        served = (self.canonical,) if self.canonical else ()
        return (self.digest, *served, *self.original)

    def __str__(self) -> str:
        return f"{self.adapter}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A movable pointer of an adapter.

    Attributes:
        name: `stable`, `canary`, or any other.
        digest: The release it points to.
        version: That release's version.
        seq: Log position of the last move.
        below: Digests that rollbacks return to, the nearest last.
        served: Every digest it ever pointed to.
    """

    name: str
    digest: Digest
    version: Version
    seq: int
    below: Sequence[Digest] = ()
    served: AbstractSet[Digest] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A release line as it stands.

    Attributes:
        name: Its name.
        by_version: Its releases.
        by_digest: The same releases.
        channels: Its channels, by name.
        events: What happened to it, in log order; publications that took effect are not repeated,
            `releases` tells them.
        canaries: Its canaries, in the order of their starts; each release has one at most.
    """

    name: AdapterName
    by_version: Mapping[Version, Release]
    by_digest: Mapping[Digest, Release]
    channels: Mapping[str, Channel]
    events: Sequence[HistoryEntry] = ()
    canaries: Sequence[Canary] = ()

    @property
    def releases(self) -> tuple[Release, ...]:
        """The releases, highest version first."""
        return tuple(self.by_version[v] for v in sorted(self.by_version, reverse=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The answer to a publish.

    Attributes:
        release: The release.
        created: False when the same bytes were published before.
        seq: Log position of its publication.
        untaken: Names of the words that were said and are not those of the release, as it was
            there already: `edit` takes them.
    """

    release: Release
    created: bool
    seq: int
    untaken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMove:
    """The answer to a promote or a rollback.

    Attributes:
        adapter: The release line.
        channel: The channel.
        previous: Where it pointed before; None if it is new.
        current: Where it points now.
        seq: Log position of the move, or of the last one when nothing moved.
        moved: False when it pointed there already.
    """

    adapter: AdapterName
    channel: str
    previous: Release | None
    current: Release
    seq: int
    moved: bool


def summarise(manifest: Manifest) -> dict[str, Any]:
    """Choose what the log repeats of a manifest, as a JSON object."""
    short = {
        key: value
        for key, value in sorted(manifest.training.items())
        if len(key) + len(value) <= SUMMARY_TRAINING_CHARS_MAX
    }
    return {
        "kind": manifest.kind,
        "purpose": manifest.purpose,
        "base_family": manifest.base_family,
        "base_fingerprint": manifest.base_fingerprint,
        "trigger_words": list(manifest.trigger_words),
        "tokens": [[t.token, t.component, t.count] for t in manifest.tokens],
        "rank": manifest.rank,
        "target_count": len(manifest.targets) + len(manifest.changes)
        or sum(t.count for t in manifest.tokens),
        "original": [str(blob.sha256) for blob in manifest.original],
        "original_bytes": sum(blob.bytes for blob in manifest.original),
        "canonical": str(manifest.canonical.sha256) if manifest.canonical else None,
        "members": [member.to_json() for member in manifest.members],
        "resident_bytes": manifest.canonical.bytes if manifest.canonical else 0,
        "dialect": manifest.dialect,
        **({"is_merged_only": True} if manifest.is_merged_only else {}),
        "notes": manifest.notes,
        "licence": manifest.licence,
        **({"title": manifest.title} if manifest.title else {}),
        **({"sampling": manifest.sampling.to_json()} if manifest.sampling else {}),
        "training": dict(list(short.items())[:SUMMARY_TRAINING_KEYS_MAX]),
        "parent": str(manifest.parent) if manifest.parent else None,
    }


def release_from_summary(
    summary: Mapping[str, Any],
    *,
    adapter: AdapterName,
    version: Version,
    digest: Digest,
    seq: int,
    published_at: str,
    published_by: str,
    publish_reason: str,
    publish_proof: Proof = Proof.NONE,
    published_for: str = "",
) -> Release:
    """Read what `summarise` wrote.

    Raises:
        RegistryError, ValueError, TypeError, KeyError, AttributeError: It is something else.
    """
    if summary["kind"] not in KINDS or summary["purpose"] not in PURPOSES:
        raise ValueError("unknown kind or purpose")
    return Release(
        adapter=adapter,
        version=version,
        digest=digest,
        kind=summary["kind"],
        purpose=summary["purpose"],
        base_family=str(summary["base_family"]),
        base_fingerprint=str(summary["base_fingerprint"]),
        trigger_words=tuple(str(word) for word in summary["trigger_words"]),
        tokens=tokens_from_json(summary["tokens"]),
        rank=int(summary["rank"]),
        target_count=int(summary["target_count"]),
        original=tuple(Digest.parse(text) for text in summary["original"]),
        canonical=Digest.parse(summary["canonical"]) if summary["canonical"] else None,
        members=tuple(Member.from_json(row) for row in summary["members"]),
        original_bytes=int(summary["original_bytes"]),
        resident_bytes=int(summary["resident_bytes"]),
        dialect=str(summary["dialect"]),
        is_merged_only=bool(summary.get("is_merged_only", False)),
        notes=str(summary["notes"]),
        licence=str(summary["licence"]),
        title=str(summary.get("title", "")),
        sampling=Sampling.from_json(summary.get("sampling", {})),
        training={str(k): str(v) for k, v in summary["training"].items()},
        parent=Digest.parse(summary["parent"]) if summary["parent"] else None,
        seq=seq,
        published_at=published_at,
        published_by=published_by,
        publish_reason=publish_reason,
        publish_proof=publish_proof,
        published_for=published_for,
    )


def publication_of(release: Release) -> HistoryEntry:
    """Say when and by whom a release was published."""
    return HistoryEntry(
        seq=release.seq,
        time=release.published_at,
        actor=release.published_by,
        reason=release.publish_reason,
        type="publish",
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        proof=release.publish_proof,
        on_behalf_of=release.published_for,
    )
