# SPDX-License-Identifier: Apache-2.0
"""The manifest: everything that shapes the images of a release, as one value and one byte string.

Its sha256 is the release's digest. It holds neither time nor actor.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tabard_registry.errors import RESTORE_BLOB, CorruptRegistry, InvalidField, RegistryError
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_registry.release.change_methods import CHANGE_METHODS
from tabard_registry.release.sampling import NO_SAMPLING, Sampling

KINDS = ("lora", "textual_inversion", "dreambooth", "recipe")
"""What a release can be."""
MEMBERS_MAX = 16
"""Most members of a recipe."""
PURPOSES = ("", "concept", "style", "subject")
"""Why a release exists; empty when the author did not say."""
PURPOSE_OF_KIND = {"textual_inversion": "concept", "dreambooth": "subject"}
"""What a kind is mostly for: which grid draws it, and what its pictures have to hold."""
MAGNITUDE_AXES = ("", "inputs", "outputs")
"""What a magnitude (of DoRA) can scale; empty without one."""
MANIFEST_BYTES_MAX = 16 << 20
"""Largest manifest that is read."""

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobRef:
    """A pointer to content-addressed bytes.

    Attributes:
        name: What the file was called; informative only.
        sha256: Digest of the bytes.
        bytes: Their number.
    """

    name: str
    sha256: Digest
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One layer that the release changes.

    Attributes:
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        module: Module name as the base profile has it.
        rank: Rank of the low-rank pair.
        scale: alpha / trained rank; finite.
        magnitude_axis: Which side of the weight a magnitude scales: one of `MAGNITUDE_AXES`.
    """

    component: str
    module: str
    rank: int
    scale: float
    magnitude_axis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTarget:
    """One parameter that the release changes in a way that slots have no place for.

    Attributes:
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        parameter: `….weight` or `….bias` of a module, as the base profile has it.
        method: Name of one of `CHANGE_METHODS`.
        scale: What the change is multiplied with; finite.
        parts: Names of its arrays in the canonical file.
        options: What else the method must know; finite numbers, words, truths.
    """

    component: str
    parameter: str
    method: str
    scale: float
    parts: tuple[str, ...]
    options: Mapping[str, float | str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in CHANGE_METHODS or not self.parts or not math.isfinite(self.scale):
            raise _invalid(f"{self.parameter} has an impossible change")
        for option in self.options.values():
            if not isinstance(option, str) and not math.isfinite(option):
                raise _invalid(f"an option of {self.parameter} is not finite")
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVectors:
    """One placeholder token that the release teaches.

    Attributes:
        token: What a prompt writes.
        component: The text encoder whose embedding it extends.
        count: Number of vectors it expands to.
    """

    token: str
    component: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One release that a recipe wears, locked to its digest.

    Attributes:
        adapter: Its release line.
        version: Its version.
        digest: Its digest.
        weight: How strongly it acts; finite.
    """

    adapter: AdapterName
    version: Version
    digest: Digest
    weight: float

    def to_json(self) -> list[Any]:
        """Write the member as a JSON value."""
        return [str(self.adapter), str(self.version), str(self.digest), self.weight]

    @classmethod
    def from_json(cls, row: Any) -> Member:
        """Read what `to_json` wrote; raises what unpacking and parsing raise."""
        adapter, version, digest, weight = row
        if not math.isfinite(weight):
            raise ValueError("a weight is not finite")
        return cls(
            adapter=AdapterName.parse(adapter),
            version=Version.parse(version),
            digest=Digest.parse(digest),
            weight=float(weight),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The immutable description of one release.

    Attributes:
        adapter: The release line.
        version: Its version.
        kind: One of `KINDS`.
        purpose: One of `PURPOSES`.
        base_family: Family it was checked against.
        base_fingerprint: Fingerprint of that base, `sha256:…`.
        original: The files as the author sent them; none for a recipe.
        canonical: The one file that is served; None for a recipe.
        members: What a recipe combines; empty for every other kind.
        targets: Layers it changes by a low-rank pair, by component and module.
        changes: Parameters it changes otherwise, by component and parameter.
        rank: Largest rank; 0 without layers.
        tokens: Placeholder tokens it teaches.
        trigger_words: Words that wake it in a prompt.
        dialect: Who wrote the original files.
        training: What the trainer left in their metadata.
        notes: Free text of the author.
        licence: SPDX id or free text.
        title: What people call it, in any script; empty: its name says it.
        parent: Digest of the release it succeeds, or None.
        sampling: How it wants to be sampled.
    """

    adapter: AdapterName
    version: Version
    kind: str
    purpose: str = ""
    base_family: str
    base_fingerprint: str
    original: tuple[BlobRef, ...]
    canonical: BlobRef | None
    members: tuple[Member, ...] = ()
    targets: tuple[Target, ...] = ()
    changes: tuple[ChangeTarget, ...] = ()
    rank: int = 0
    tokens: tuple[TokenVectors, ...] = ()
    trigger_words: tuple[str, ...] = ()
    dialect: str = ""
    training: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    licence: str = ""
    title: str = ""
    parent: Digest | None = None
    sampling: Sampling = NO_SAMPLING

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.purpose not in PURPOSES:
            raise _invalid(f"unknown kind {self.kind!r} or purpose {self.purpose!r}")
        if self.kind == "recipe":
            self._check_recipe()
        elif not (self.original and self.canonical and self.has_effect):
            raise _invalid("a release has at least one file and one layer or token")
        if not all(math.isfinite(target.scale) and target.rank > 0 for target in self.targets):
            raise _invalid("a target has a rank above 0 and a finite scale")
        if not all(target.magnitude_axis in MAGNITUDE_AXES for target in self.targets):
            raise _invalid("a magnitude scales the inputs or the outputs")
        Digest.parse(self.base_fingerprint)
        object.__setattr__(self, "training", MappingProxyType(dict(self.training)))

    def _check_recipe(self) -> None:
        if self.original or self.canonical or self.has_effect:
            raise _invalid("a recipe has members and nothing of its own")
        if not 0 < len(self.members) <= MEMBERS_MAX:
            raise _invalid(f"a recipe has 1 to {MEMBERS_MAX} members, not {len(self.members)}")
        digests = [member.digest for member in self.members]
        for member in self.members:
            if digests.count(member.digest) > 1:
                raise _invalid(f"a recipe names {member.adapter}@{member.version} twice")

    @property
    def has_effect(self) -> bool:
        """Say whether it changes or teaches anything by itself."""
        return bool(self.targets or self.changes or self.tokens)

    @property
    def is_merged_only(self) -> bool:
        """Say whether a part of it is not low-rank, so that only a merged copy can wear it."""
        return bool(self.changes)

    @property
    def digest(self) -> Digest:
        """sha256 of `to_bytes()`: the digest of the release."""
        return sha256_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Write canonical JSON: sorted keys, no spaces, ASCII, floats by repr."""
        return canonical_json(
            {
                "format": _FORMAT,
                "adapter": str(self.adapter),
                "version": str(self.version),
                "kind": self.kind,
                "purpose": self.purpose,
                "base_family": self.base_family,
                "base_fingerprint": self.base_fingerprint,
                "original": [blob_to_json(blob) for blob in self.original],
                "canonical": blob_to_json(self.canonical) if self.canonical else None,
                **({"members": [m.to_json() for m in self.members]} if self.members else {}),
                "targets": [_target_to_json(target) for target in self.targets],
                **({"changes": [_change_to_json(x) for x in self.changes]} if self.changes else {}),
                "rank": self.rank,
                "tokens": [[t.token, t.component, t.count] for t in self.tokens],
                "trigger_words": list(self.trigger_words),
                "dialect": self.dialect,
                "training": dict(self.training),
                "notes": self.notes,
                "licence": self.licence,
                **({"title": self.title} if self.title else {}),
                **({"sampling": self.sampling.to_json()} if self.sampling else {}),
                "parent": str(self.parent) if self.parent else None,
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Read what `to_bytes` wrote.

        Raises:
            CorruptRegistry: The bytes are anything else.
        """
        try:
            return _from_document(json.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _corrupt(repr(error)) from error
        except RegistryError as error:
            raise _corrupt(str(error)) from error


def canonical_json(document: object) -> bytes:
    """Write JSON in the one form that is hashed.

    Raises:
        ValueError: The document holds NaN or infinity.
    """
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def blob_to_json(blob: BlobRef) -> list[Any]:
    """Write a blob pointer as a JSON value."""
    return [blob.name, str(blob.sha256), blob.bytes]


def blob_from_json(row: Any) -> BlobRef:
    """Read what `blob_to_json` wrote; raises what unpacking and parsing raise."""
    name, digest, size_bytes = row
    return BlobRef(name=str(name), sha256=Digest.parse(str(digest)), bytes=int(size_bytes))


def _from_document(document: Any) -> Manifest:
    if document["format"] != _FORMAT:
        raise ValueError(f"manifest format {document['format']!r} is unknown")
    return Manifest(
        adapter=AdapterName.parse(document["adapter"]),
        version=Version.parse(document["version"]),
        kind=document["kind"],
        purpose=document["purpose"],
        base_family=str(document["base_family"]),
        base_fingerprint=str(document["base_fingerprint"]),
        original=tuple(blob_from_json(row) for row in document["original"]),
        canonical=blob_from_json(document["canonical"]) if document["canonical"] else None,
        members=tuple(Member.from_json(row) for row in document.get("members", ())),
        targets=tuple(_target_from_json(*row) for row in document["targets"]),
        changes=tuple(_change_from_json(row) for row in document.get("changes", ())),
        rank=int(document["rank"]),
        tokens=tokens_from_json(document["tokens"]),
        trigger_words=tuple(str(word) for word in document["trigger_words"]),
        dialect=str(document["dialect"]),
        training={str(k): str(v) for k, v in document["training"].items()},
        notes=str(document["notes"]),
        licence=str(document["licence"]),
        title=str(document.get("title", "")),
        parent=Digest.parse(document["parent"]) if document["parent"] else None,
        sampling=Sampling.from_json(document.get("sampling", {})),
    )


def _target_to_json(target: Target) -> list[Any]:
    """Write a magnitude only where there is one: digests of plain releases stay what they were."""
    row = [target.component, target.module, target.rank, target.scale]
    return [*row, target.magnitude_axis] if target.magnitude_axis else row


def _target_from_json(
    component: Any, module: Any, rank: Any, scale: Any, magnitude_axis: Any = ""
) -> Target:
    return Target(
        component=str(component),
        module=str(module),
        rank=int(rank),
        scale=float(scale),
        magnitude_axis=str(magnitude_axis),
    )


def _change_to_json(change: ChangeTarget) -> list[Any]:
    row = [change.component, change.parameter, change.method, change.scale, list(change.parts)]
    return [*row, dict(change.options)] if change.options else row


def _change_from_json(row: Any) -> ChangeTarget:
    component, parameter, method, scale, parts, *rest = row
    options = rest[0] if rest else {}
    return ChangeTarget(
        component=str(component),
        parameter=str(parameter),
        method=str(method),
        scale=float(scale),
        parts=tuple(str(part) for part in parts),
        options={str(name): _option(value) for name, value in options.items()},
    )


def _option(value: Any) -> float | str | bool:
    if not isinstance(value, float | int | str | bool):
        raise ValueError(f"{value!r} is no option")
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def tokens_from_json(rows: Any) -> tuple[TokenVectors, ...]:
    """Read rows of `[token, component, count]`; raises what unpacking raises."""
    return tuple(
        TokenVectors(token=str(token), component=str(component), count=int(count))
        for token, component, count in rows
    )


def _invalid(message: str) -> InvalidField:
    return InvalidField(message, reason="FIELD_INVALID", hint="Check the draft of the release.")


def _corrupt(detail: str) -> CorruptRegistry:
    return CorruptRegistry(
        f"a manifest cannot be read: {detail}",
        reason="CORRUPT_BLOB",
        hint=RESTORE_BLOB,
    )
