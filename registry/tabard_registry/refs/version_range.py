# SPDX-License-Identifier: Apache-2.0
"""Ranges of versions, as npm and Cargo users write them: `^1.2`, `~1.2.3`, `1.x`, `>=1.2,<2`.

A range becomes bounds once, when it is read. A pre-release is admitted only by a range that itself
names a pre-release of the same three numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tabard_registry.errors import InvalidName
from tabard_registry.refs.semver import Version

RANGE_CHARS_MAX = 128
"""Longest range that is accepted."""
COMPARATORS_MAX = 8
"""Most comma-separated parts of a range."""

_PARTIAL = re.compile(
    r"(?P<major>[0-9]+|[xX*])(?:\.(?P<minor>[0-9]+|[xX*]))?"
    r"(?:\.(?P<patch>[0-9]+|[xX*])(?P<tail>-[0-9A-Za-z.-]+)?)?",
    re.ASCII,
)
_OPERATOR = re.compile(r"(\^|~|>=|<=|>|<|=)?\s*(.+)")
_BEGINNING = re.compile(r"[\^~<>=*]|[0-9]+(?:\.[0-9]+)?(?:\.[xX*])*(?:$|,)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One comparison: `operator` is one of `>=`, `>`, `<`, `<=`."""

    operator: str
    version: Version

    def admits(self, version: Version) -> bool:
        """Whether a version satisfies this comparison."""
        match self.operator:
            case ">=":
                return version >= self.version
            case ">":
                return version > self.version
            case "<":
                return version < self.version
        return version <= self.version


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A conjunction of comparisons.

    Attributes:
        text: As it was written, without spaces.
        bounds: What it means.
    """

    text: str
    bounds: tuple[Bound, ...]

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read a range.

        Raises:
            InvalidName: It cannot be read.
        """
        plain = text.replace(" ", "")
        parts = plain.split(",")
        if len(plain) > RANGE_CHARS_MAX or len(parts) > COMPARATORS_MAX:
            raise _invalid(text)
        return cls(plain, tuple(bound for part in parts for bound in _bounds(part)))

    def admits(self, version: Version) -> bool:
        """Whether a version lies in the range."""
        if not all(bound.admits(version) for bound in self.bounds):
            return False
        return not version.is_prerelease or any(
            bound.version.is_prerelease and _numbers(bound.version) == _numbers(version)
            for bound in self.bounds
        )

    def __str__(self) -> str:
        return self.text


def looks_like_range(text: str) -> bool:
    """Whether a selector is meant as a range: an operator, an `x`, or fewer than three numbers."""
    return bool(_BEGINNING.match(text)) or "," in text


def _bounds(text: str) -> tuple[Bound, ...]:
    operator, rest = _split(text)
    found = _PARTIAL.fullmatch(rest)
    if found is None:
        raise _invalid(text)
    numbers = _known_numbers(found, text=text)
    low = Version.parse(".".join(map(str, (*numbers, 0, 0, 0)[:3])) + (found["tail"] or ""))
    whole = _WHOLE.get(operator) if len(numbers) < 3 else None
    if whole is not None:
        # `>1.2` means above all of 1.2.x, and `<=1.2` up to the end of it.
        after = _bump(numbers, position=len(numbers) - 1)
        return () if after is None else (Bound(operator=whole, version=after),)
    if operator in ("^", "~"):
        position = _caret_position(numbers) if operator == "^" else min(1, len(numbers) - 1)
        return _between(low, _bump(numbers, position=position))
    if operator in ("", "=") and len(numbers) == 3:
        return (Bound(operator=">=", version=low), Bound(operator="<=", version=low))
    if operator in (">=", "<", ">", "<="):
        return (Bound(operator=operator, version=low),)
    return _between(low, _bump(numbers, position=len(numbers) - 1))


_WHOLE = {">": ">=", "<=": "<"}


def _split(text: str) -> tuple[str, str]:
    found = _OPERATOR.fullmatch(text)
    if found is None:
        raise _invalid(text)
    return found[1] or "", found[2]


def _known_numbers(found: re.Match[str], *, text: str) -> tuple[int, ...]:
    numbers: list[int] = []
    wild = False
    for name in ("major", "minor", "patch"):
        part = found[name]
        if part is None or part in "xX*":
            wild = True
        elif wild or (len(part) > 1 and part[0] == "0"):
            raise _invalid(text)
        else:
            numbers.append(int(part))
    return tuple(numbers)


def _caret_position(numbers: tuple[int, ...]) -> int:
    # The leftmost number that is not zero may not change.
    return next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)


def _bump(numbers: tuple[int, ...], *, position: int) -> Version | None:
    if position < 0:
        return None
    raised = (*numbers[:position], numbers[position] + 1, 0, 0)
    return Version(major=raised[0], minor=raised[1], patch=raised[2])


def _between(low: Version, after: Version | None) -> tuple[Bound, ...]:
    bounds = (Bound(operator=">=", version=low),)
    return bounds if after is None else (*bounds, Bound(operator="<", version=after))


def _numbers(version: Version) -> tuple[int, int, int]:
    return version.major, version.minor, version.patch


def _invalid(text: str) -> InvalidName:
    return InvalidName(
        f"not a range of versions: {text[:RANGE_CHARS_MAX]!r}",
        reason="INVALID_VERSION",
        hint="Write `^1.2`, `~1.2.3`, `1.x` or `>=1.2,<2`.",
    )
