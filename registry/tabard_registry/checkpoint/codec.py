# SPDX-License-Identifier: Apache-2.0
"""A release line as lines of JSON, and back: a head, one line a release, one line of events.

The head says enough to find a release without reading the others, and holds the texts that releases
share. Equal release lines make equal bytes. Only a head begins with `["`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from tabard_registry.checkpoint.canaries import canary_to_json
from tabard_registry.checkpoint.digests import Texts, read_digests, write_digests
from tabard_registry.checkpoint.events import events_to_json
from tabard_registry.checkpoint.judged import health_from_json, health_to_json
from tabard_registry.checkpoint.later import LaterSet, LaterTuple
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

# The slots of a frozen class, each with its field.
_PUTS = tuple((one.name, vars(Release)[one.name].__set__) for one in fields(Release))


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
    row: Any,
    *,
    version: Version,
    digest: Digest,
    digests_at: Callable[[Sequence[int]], Sequence[Digest]],
) -> Channel:
    """Read one channel of a head; raises what unpacking and parsing raise."""
    name, _, seq, below, served = row
    return Channel(
        name=name,
        digest=digest,
        version=version,
        seq=seq,
        below=LaterTuple(digests_at, below),
        served=LaterSet(digests_at, served),
    )


def read_release(
    row: Any,
    *,
    adapter: AdapterName,
    version: Version,
    digest: Digest,
    texts: Sequence[str],
    digest_at: Callable[[int], Digest],
) -> Release:
    """Read the line of a release; raises what unpacking, the lookups and parsing raise."""
    seq, published_at, notes, numbers, shared, triggers, training, blobs, parent, rare = row
    rank, target_count, original_bytes, resident_bytes = numbers
    kind, purpose, family, fingerprint, dialect, licence, publisher, reason = shared
    canonical_count, digits = blobs
    canonical_and_original = read_digests(digits)
    return release_of(
        {
            "adapter": adapter,
            "version": version,
            "digest": digest,
            "kind": texts[kind],
            "purpose": texts[purpose],
            "base_family": texts[family],
            "base_fingerprint": texts[fingerprint],
            "trigger_words": tuple([texts[word] for word in triggers]),
            "tokens": tokens_from_json(rare["tokens"]) if "tokens" in rare else (),
            "rank": rank,
            "target_count": target_count,
            "original": canonical_and_original[canonical_count:],
            "canonical": canonical_and_original[0] if canonical_count else None,
            "members": tuple(map(Member.from_json, rare["members"])) if "members" in rare else (),
            "original_bytes": original_bytes,
            "resident_bytes": resident_bytes,
            "dialect": texts[dialect],
            "is_merged_only": "merged" in rare,
            "notes": notes,
            "licence": texts[licence],
            "title": rare.get("title", ""),
            "training": MappingProxyType({texts[key]: value for key, value in training}),
            "parent": _read_parent(parent, digest_at=digest_at),
            "seq": seq,
            "published_at": published_at,
            "published_by": texts[publisher],
            "publish_reason": texts[reason],
            "yanked": "yanked" in rare,
            "yank_reason": rare.get("yanked", ""),
            "quarantined": "quarantined" in rare,
            "quarantine_reason": rare.get("quarantined", ""),
            "purged": "purged" in rare,
            "purge_reason": rare.get("purged", ""),
            "signatures": _read_signatures(rare["signatures"]) if "signatures" in rare else (),
            "publish_proof": Proof.read(rare.get("proof", "")),
            "published_for": rare.get("for", ""),
            "published_words": Words(**read_amendment(rare["words"])) if "words" in rare else None,
            "sampling": Sampling.from_json(rare["sampling"]) if "sampling" in rare else NO_SAMPLING,
            "health": health_from_json(rare["health"]) if "health" in rare else NO_HEALTH,
        }
    )


def release_of(values: Mapping[str, Any]) -> Release:
    """Make a release of every field by name, in a third of the time that its own way takes.

    Args:
        values: All fields; nothing is asked of them, and `training` is immutable.

    Raises:
        KeyError: A field is missing.
    """
    found = Release.__new__(Release)
    for name, put in _PUTS:
        put(found, values[name])
    return found


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
