# SPDX-License-Identifier: Apache-2.0
"""Versions of releases: Semantic Versioning 2.0.0 without build metadata, parsed and ordered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from tabard_registry.errors import InvalidName

VERSION_CHARS_MAX = 64
"""Longest version that is accepted."""

_NUMBER = r"(0|[1-9][0-9]*)"
_PART = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PART}(?:\.{_PART})*))?", re.ASCII)
_PART_ONLY = re.compile(_PART, re.ASCII)


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version, ordered as semver.org section 11 says.

    Attributes:
        major: First number.
        minor: Second number.
        patch: Third number.
        prerelease: Identifiers after the hyphen; empty for a final version.
    """

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        numbers_valid = min(self.major, self.minor, self.patch) >= 0
        parts_valid = all(_PART_ONLY.fullmatch(part) for part in self.prerelease)
        if not (numbers_valid and parts_valid and len(str(self)) <= VERSION_CHARS_MAX):
            raise _invalid(str(self))

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `1.2.0` or `1.2.0-rc.1`.

        Raises:
            InvalidName: The text is not SemVer 2.0.0, too long, or has build metadata.
        """
        found = _SEMVER.fullmatch(text) if len(text) <= VERSION_CHARS_MAX else None
        if found is None:
            raise _invalid(text)
        major, minor, patch, tail = found.groups()
        return cls(
            major=int(major),
            minor=int(minor),
            patch=int(patch),
            prerelease=tuple(tail.split(".")) if tail else (),
        )

    @property
    def is_prerelease(self) -> bool:
        """Whether the version says of itself that it is not final."""
        return bool(self.prerelease)

    def __str__(self) -> str:
        tail = "-" + ".".join(self.prerelease) if self.prerelease else ""
        return f"{self.major}.{self.minor}.{self.patch}{tail}"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._rank() < other._rank()

    def _rank(self) -> tuple[object, ...]:
        parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in self.prerelease)
        return (self.major, self.minor, self.patch, not self.prerelease, parts)


def _invalid(text: str) -> InvalidName:
    hint = "Write three numbers, like `1.2.0`, or a pre-release like `1.2.0-rc.1`."
    if "+" in text:
        hint = "Build metadata (`+…`) does not order versions: leave it out, or use a pre-release."
    elif found := re.fullmatch(r"[vV]?(\d{1,6}(?:\.\d{1,6}){0,2})", text):
        numbers = [str(int(number)) for number in found[1].split(".")]
        hint = f"Write `{'.'.join([*numbers, '0', '0'][:3])}`."
    elif text[:1] in ("v", "V"):
        hint = f"Leave out the leading {text[:1]!r}: write `1.2.0`."
    return InvalidName(
        f"not a semantic version: {text[:VERSION_CHARS_MAX]!r}", reason="INVALID_VERSION", hint=hint
    )
