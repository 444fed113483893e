# SPDX-License-Identifier: Apache-2.0
"""Names that people write: adapters, channels and refs, parsed at the door into values."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from tabard_registry.errors import InvalidName
from tabard_registry.refs.semver import Version
from tabard_registry.refs.version_range import VersionRange, looks_like_range

WEIGHT_ABS_MAX = 4.0
"""Largest weight of an adapter, either sign."""
NAME_CHARS_MAX = 64
"""Longest namespace, adapter name or channel."""
REF_CHARS_MAX = 512
"""Longest ref."""
DIGEST_PREFIX_HEX_MIN = 12
"""Fewest hexadecimal digits of an abbreviated digest."""
DEFAULT_CHANNEL = "stable"
"""The channel that a ref without a selector means."""

_SEGMENT = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_CHANNEL = re.compile(r"[a-z](?:[a-z0-9._-]*[a-z0-9])?")
_DIGEST_PREFIX = re.compile(rf"[0-9a-f]{{{DIGEST_PREFIX_HEX_MIN},64}}")
_WEIGHT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)


class AdapterName(msgspec.Struct, frozen=True, order=True, gc=False):
    """The name of a release line, `namespace/name`.

    Attributes:
        namespace: Who owns it: lower-case letters, digits, `.`, `_` and `-`.
        name: What it is called; the same characters.

    Raises:
        InvalidName: One of the two is empty, too long or has other characters.
    """

    namespace: str
    name: str

    def __post_init__(self) -> None:
        check_namespace(self.namespace)
        _check_segment(self.name, what="adapter name", before=f"{self.namespace}/")

    @classmethod
    def parse(cls, text: str) -> AdapterName:
        """Read `namespace/name`.

        Raises:
            InvalidName: The namespace is missing, or a part is malformed.
        """
        namespace, slash, name = text.partition("/")
        if not slash:
            raise InvalidName(
                f"adapter {text[:REF_CHARS_MAX]!r} has no namespace",
                reason="INVALID_NAME",
                hint=f"Write `namespace/name`, for example `acme/{text or 'watercolor'}`."[:200],
            )
        return cls(namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ByChannel:
    """Selects what a channel points to at the moment."""

    channel: str

    def __post_init__(self) -> None:
        check_channel(self.channel)

    def __str__(self) -> str:
        return self.channel


@dataclass(frozen=True, slots=True)
class ByVersion:
    """Selects one version, exactly."""

    version: Version

    def __str__(self) -> str:
        return str(self.version)


@dataclass(frozen=True, slots=True)
class ByDigest:
    """Selects one digest, written in full or by its first digits.

    Attributes:
        prefix: 12 to 64 lower-case hexadecimal digits.
    """

    prefix: str

    def __post_init__(self) -> None:
        if not _DIGEST_PREFIX.fullmatch(self.prefix):
            raise InvalidName(
                f"not a digest or its beginning: {self.prefix[:80]!r}",
                reason="INVALID_DIGEST",
                hint=f"Write `sha256:` and {DIGEST_PREFIX_HEX_MIN} to 64 lower-case hex digits.",
            )

    def __str__(self) -> str:
        return f"sha256:{self.prefix}"


@dataclass(frozen=True, slots=True)
class ByRange:
    """Selects the highest version of a range that may be served."""

    range: VersionRange

    def __str__(self) -> str:
        return str(self.range)


Selector: TypeAlias = ByChannel | ByVersion | ByDigest | ByRange
"""How a ref chooses among the releases of an adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterRef:
    """What a caller writes: `namespace/name[@selector][:weight]`.

    Attributes:
        adapter: The release line.
        selector: Which release of it; the stable channel when left out.
        weight: How strongly it acts; finite, at most `WEIGHT_ABS_MAX` either way.
        is_weight_said: Whether somebody said so; else it is 1.
    """

    adapter: AdapterName
    selector: Selector = field(default_factory=lambda: ByChannel(DEFAULT_CHANNEL))
    weight: float = 1.0
    is_weight_said: bool = field(default=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight) or abs(self.weight) > WEIGHT_ABS_MAX:
            raise _invalid_weight(str(self.weight), ref=str(self.adapter))

    @classmethod
    def parse(cls, text: str, *, weight: float | None = None) -> AdapterRef:
        """Read a ref such as `acme/ink@1.2.0:0.8`.

        Args:
            text: The ref, with or without its weight.
            weight: The weight, where it is said beside the ref.

        Raises:
            InvalidName: Some part cannot be read, and the message quotes it; or there are two
                weights.
        """
        if len(text) > REF_CHARS_MAX:
            raise InvalidName(
                f"ref of {len(text)} characters is too long",
                reason="INVALID_REF",
                hint=f"A ref has at most {REF_CHARS_MAX} characters.",
            )
        name, at, tail = text.partition("@")
        if not at:
            name, colon, tail = name.partition(":")
            selector: Selector = ByChannel(DEFAULT_CHANNEL)
        else:
            selector, colon, tail = _parse_selector(tail)
        adapter = AdapterName.parse(name)
        written = _parse_weight(tail, ref=text) if colon else None
        if None not in (weight, written) and weight != written:
            raise InvalidName(
                f"the ref {text[:NAME_CHARS_MAX]!r} has weight {written:g}, and beside it stands "
                f"{weight:g}",
                reason="WEIGHT_AMBIGUOUS",
                hint="Say the weight once, in the ref or beside it.",
            )
        said = weight if weight is not None else written
        return cls(
            adapter=adapter,
            selector=selector,
            weight=1.0 if said is None else said,
            is_weight_said=said is not None,
        )

    def __str__(self) -> str:
        weight = "" if self.weight == 1.0 else f":{self.weight!r}"
        return f"{self.adapter}@{self.selector}{weight}"


def check_namespace(namespace: str) -> str:
    """Return a namespace that can be one.

    Raises:
        InvalidName: It is empty, too long, or has characters a namespace cannot have.
    """
    return _check_segment(namespace, what="namespace", before="")


def check_channel(channel: str) -> None:
    """Refuse what cannot be a channel.

    Raises:
        InvalidName: The channel is empty, too long, or has characters a channel cannot have.
    """
    if len(channel) > NAME_CHARS_MAX or not _CHANNEL.fullmatch(channel):
        raise InvalidName(
            f"invalid channel or version {channel[:NAME_CHARS_MAX]!r}",
            reason="INVALID_CHANNEL",
            hint=f"{_meant_channel(channel)}A channel is a lower-case word like "
            f"`{DEFAULT_CHANNEL}`; a version is three numbers.",
        )


def _check_segment(text: str, *, what: str, before: str) -> str:
    if len(text) > NAME_CHARS_MAX or not _SEGMENT.fullmatch(text):
        raise InvalidName(
            f"invalid {what} {text[:NAME_CHARS_MAX]!r}",
            reason="INVALID_NAME",
            hint=_name_hint(text, before=before),
        )
    return text


def _meant_channel(text: str) -> str:
    """Guess the channel that a wrong one stands for."""
    meant = re.sub(r"[\s_/]+", "-", text.strip().lower())
    if len(meant) > NAME_CHARS_MAX or not _CHANNEL.fullmatch(meant):
        return ""
    near = difflib.get_close_matches(meant, [DEFAULT_CHANNEL], cutoff=0.8)
    return f"Did you mean `{near[0] if near else meant}`? "


def _parse_selector(text: str) -> tuple[Selector, str, str]:
    if text.startswith("sha256:"):
        prefix, colon, weight = text.removeprefix("sha256:").partition(":")
        return ByDigest(prefix), colon, weight
    word, colon, weight = text.partition(":")
    if looks_like_range(word):
        return ByRange(VersionRange.parse(word)), colon, weight
    if word[:1].isdigit() or "+" in word:
        return ByVersion(Version.parse(word)), colon, weight
    return ByChannel(word), colon, weight


def _parse_weight(text: str, *, ref: str) -> float:
    if not _WEIGHT.fullmatch(text):
        raise _invalid_weight(text, ref=ref)
    return float(text)


def _invalid_weight(text: str, *, ref: str) -> InvalidName:
    return InvalidName(
        f"invalid weight {text[:40]!r} of {ref[: 2 * NAME_CHARS_MAX]!r}",
        reason="INVALID_WEIGHT",
        hint=f"A weight is a number from {-WEIGHT_ABS_MAX} to {WEIGHT_ABS_MAX}, such as 0.8.",
    )


def _name_hint(text: str, *, before: str) -> str:
    """Say how the part that is wrong is written, with what stands before it."""
    if text != text.lower() and _SEGMENT.fullmatch(text.lower()):
        return f"Names are lower-case: write {before + text.lower()!r}."
    name, at, _selector = text.partition("@")
    if at and _SEGMENT.fullmatch(name):
        return f"Here all releases are meant, and none of them: write {before + name!r}."
    name, _colon, weight = text.partition(":")
    if weight and _SEGMENT.fullmatch(name):
        right = before + name
        return f"A weight stands only where images are drawn, and in recipes: write {right!r}."
    return (
        f"Use 1 to {NAME_CHARS_MAX} lower-case letters, digits, `.`, `_` or `-`, "
        "with a letter or digit at both ends."
    )
