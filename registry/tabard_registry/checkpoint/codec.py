# SPDX-License-Identifier: Apache-2.0
"""A release line as lines of JSON, and back: a head, one line a release, one line of events.

The head says enough to find a release without reading the others, and holds the texts that releases
share. Equal release lines make equal bytes. Only a head begins with `["`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tabard_registry.checkpoint.canaries import canary_to_json
from tabard_registry.checkpoint.digests import Texts, read_digests, write_digests
from tabard_registry.checkpoint.events import events_to_json
from tabard_registry.checkpoint.judged import health_from_json, health_to_json
from tabard_registry.checkpoint.later import LaterSet, LaterTuple
from tabard_registry.checkpoint.rows import ChannelRow, ReleaseRow
from tabard_registry.identity.identity import Proof
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_registry.release.health import NO_HEALTH
from tabard_registry.release.manifest import Member, canonical_json, tokens_from_json
from tabard_registry.release.release import Adapter, Channel, Release, Signature
from tabard_registry.release.sampling import NO_SAMPLING, Sampling
from tabard_registry.release.words import Words, read_amendment

_STANDINGS = (
    ("yanked", "yank_reason"),
    ("quarantined", "quarantine_reason"),
    ("purged", "purge_reason"),
)

PLAIN = (
    *("adapter", "version", "digest", "kind", "purpose", "base_family", "base_fingerprint"),
    *("trigger_words", "rank", "target_count", "original_bytes", "resident_bytes", "original"),
    *("canonical", "dialect", "notes", "licence", "training", "parent", "seq", "published_at"),
    *("published_by", "publish_reason"),
)
"""The fields that every release has, as they are read."""
RARE = (
    *("tokens", "members", "signatures", "is_merged_only", "title", "publish_proof"),
    *("published_for", "published_words", "sampling", "health"),
    *(name for standing in _STANDINGS for name in standing),
)
"""All others."""

# The slots of a frozen class.
_PLAIN_PUTS, _RARE_PUTS = (
    tuple([vars(Release)[name].__set__ for name in names]) for names in (PLAIN, RARE)
)


def lines_of(adapter: Adapter) -> Iterator[bytes]:
    """Yield the lines of a release line, without line ends: head, releases by position, events."""
    releases = sorted(adapter.by_digest.values(), key=lambda one: (one.seq, one.version))
    position = {release.digest: index for index, release in enumerate(releases)}
    texts = Texts()
    rows = [_release_to_json(one, texts=texts, position=position) for one in releases]
    versions = [str(one.version) for one in releases]
    digits = write_digests(tuple(position))
    channels = [
        [
            channel.name,
            position[channel.digest],
            channel.seq,
            [position[digest] for digest in channel.below],
            sorted(position[digest] for digest in channel.served),
        ]
        for _, channel in sorted(adapter.channels.items())
    ]
    name, digests = str(adapter.name), list(map(str, position))
    canaries = [canary_to_json(one) for one in adapter.canaries]
    yield canonical_json([name, " ".join(versions), digits, channels, texts.found, canaries])
    yield from map(canonical_json, rows)
    events = events_to_json(adapter.events, name=name, versions=versions, digests=digests)
    yield canonical_json(events)


def read_channel(
    row: ChannelRow,
    *,
    version: Version,
    digest: Digest,
    digests_at: Callable[[Sequence[int]], Sequence[Digest]],
) -> Channel:
    """Make one channel of its row."""
    return Channel(
        name=row.name,
        digest=digest,
        version=version,
        seq=row.seq,
        below=LaterTuple(digests_at, row.below),
        served=LaterSet(digests_at, row.served),
    )


def read_release(
    row: ReleaseRow,
    *,
    adapter: AdapterName,
    version: Version,
    digest: Digest,
    texts: Sequence[str],
    digest_at: Callable[[int], Digest],
) -> Release:
    """Read the row of a release; raises what the lookups and parsing raise."""
    kind, purpose, family, fingerprint, dialect, licence, publisher, reason = row.shared
    canonical_count, digits = row.blobs
    canonical_and_original = read_digests(digits)
    training = {texts[key]: value for key, value in row.training}
    plain = (
        *(adapter, version, digest, texts[kind], texts[purpose], texts[family]),
        *(texts[fingerprint], tuple([texts[word] for word in row.triggers])),
        *row.numbers,
        canonical_and_original[canonical_count:],
        canonical_and_original[0] if canonical_count else None,
        *(texts[dialect], row.notes, texts[licence], MappingProxyType(training)),
        _read_parent(row.parent, digest_at=digest_at),
        *(row.seq, row.published_at, texts[publisher], texts[reason]),
    )
    return release_of(plain, _read_rare(row.rare) if row.rare else _NOTHING_RARE)


def release_of(plain: Sequence[Any], rare: Sequence[Any]) -> Release:
    """Make a release of all its fields, in a fraction of the time that its own way takes.

    Args:
        plain: The values of `PLAIN`, in that order; nothing is asked of them, and `training` is
            immutable.
        rare: Those of `RARE`.

    Raises:
        ValueError: There are fewer or more.
    """
    found = Release.__new__(Release)
    for put, value in zip(_PLAIN_PUTS, plain, strict=True):
        put(found, value)
    for put, value in zip(_RARE_PUTS, rare, strict=True):
        put(found, value)
    return found


def _read_rare(rare: Mapping[str, Any]) -> tuple[Any, ...]:
    """Read what few releases have, in the order of `RARE`."""
    return (
        tokens_from_json(rare["tokens"]) if "tokens" in rare else (),
        tuple(map(Member.from_json, rare["members"])) if "members" in rare else (),
        _read_signatures(rare["signatures"]) if "signatures" in rare else (),
        "merged" in rare,
        rare.get("title", ""),
        Proof.read(rare.get("proof", "")),
        rare.get("for", ""),
        Words(**read_amendment(rare["words"])) if "words" in rare else None,
        Sampling.from_json(rare["sampling"]) if "sampling" in rare else NO_SAMPLING,
        health_from_json(rare["health"]) if "health" in rare else NO_HEALTH,
        *("yanked" in rare, rare.get("yanked", "")),
        *("quarantined" in rare, rare.get("quarantined", "")),
        *("purged" in rare, rare.get("purged", "")),
    )


_NOTHING_RARE = _read_rare({})


def _release_to_json(release: Release, *, texts: Texts, position: dict[Digest, int]) -> list[Any]:
    one = release
    shared = (
        *(one.kind, one.purpose, one.base_family, one.base_fingerprint),
        *(one.dialect, one.licence, one.published_by, one.publish_reason),
    )
    canonical = (one.canonical,) if one.canonical else ()
    parent = position.get(one.parent, one.parent.hex) if one.parent else None
    return [
        one.seq,
        one.published_at,
        one.notes,
        [one.rank, one.target_count, one.original_bytes, one.resident_bytes],
        [texts.number(text) for text in shared],
        [texts.number(word) for word in one.trigger_words],
        [[texts.number(key), value] for key, value in sorted(one.training.items())],
        [len(canonical), write_digests((*canonical, *one.original))],
        parent,
        _rare_to_json(one),
    ]


def _rare_to_json(release: Release) -> dict[str, Any]:
    found = {
        "tokens": [[t.token, t.component, t.count] for t in release.tokens],
        "members": [member.to_json() for member in release.members],
        "signatures": [[s.key_id, s.signature, s.seq] for s in release.signatures],
        "merged": release.is_merged_only,
        "title": release.title,
        "proof": release.publish_proof,
        "for": release.published_for,
        "words": release.published_words.to_json() if release.published_words else None,
        "sampling": release.sampling.to_json(),
        "health": health_to_json(release.health),
    }
    standing = {flag: getattr(release, why) for flag, why in _STANDINGS if getattr(release, flag)}
    return {**{name: rows for name, rows in found.items() if rows}, **standing}


def _read_parent(parent: Any, *, digest_at: Callable[[int], Digest]) -> Digest | None:
    if parent is None:
        return None
    return Digest(parent) if isinstance(parent, str) else digest_at(parent)


def _read_signatures(rows: Any) -> tuple[Signature, ...]:
    return tuple(
        Signature(key_id=key, signature=signature, seq=seq) for key, signature, seq in rows
    )
