# SPDX-License-Identifier: Apache-2.0
"""What a namespace asks of a release before a channel may point to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from tabard_registry.errors import InvalidField, PreconditionFailed

GATES_MAX = 16
"""Most channel patterns of one namespace. Part of the protocol."""
REVIEWS_ASKED_MAX = 16
"""Most reviews that a gate may ask for. Part of the protocol."""

_PATTERN = re.compile(r"[a-z0-9*][a-z0-9._*-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What promotions to some channels need; a rollback never needs any of it.

    Attributes:
        require_success: The newest report says Success.
        reviews: How many people, none of them the author, approved of the newest report.
        require_checks: No failure check of a subject is `not_checked`.

    Raises:
        InvalidField: It asks for nothing, or for something unknown.
    """

    require_success: bool = False
    reviews: int = 0
    require_checks: bool = False

    def __post_init__(self) -> None:
        flags = isinstance(self.require_success, bool) and isinstance(self.require_checks, bool)
        if not flags or type(self.reviews) is not int or self.reviews < 0:
            raise _invalid("a gate asks for a success, for checks, and for a number of reviews")
        if self.reviews > REVIEWS_ASKED_MAX:
            raise PreconditionFailed(
                f"no release can have {self.reviews} reviews",
                reason="POLICY_UNSATISFIABLE",
                hint=f"Ask for at most {REVIEWS_ASKED_MAX}.",
            )
        if not (self.require_success or self.require_checks or self.reviews):
            raise _invalid("a gate that asks for nothing")

    def to_json(self) -> dict[str, Any]:
        """Write the gate as a JSON object."""
        return asdict(self)


Gates = Mapping[str, Gate]
"""Gates by channel pattern."""
NO_GATES: Gates = MappingProxyType({})
"""None."""


def check_pattern(pattern: str) -> None:
    """Refuse what is no pattern of channels.

    Raises:
        InvalidField: It is none.
    """
    if not _PATTERN.fullmatch(pattern):
        raise _invalid(f"{pattern[:40]!r} is no pattern of channels")


def with_gates(before: Gates, said: Mapping[str, Any]) -> Gates:
    """Return the gates after some patterns were set, or taken away by None.

    Raises:
        InvalidField, PreconditionFailed, TypeError, AttributeError: Something is no gate.
    """
    found = dict(before)
    for pattern, gate in said.items():
        check_pattern(pattern)
        if gate is None:
            found.pop(pattern, None)
        else:
            found[pattern] = Gate(**gate)
    if len(found) > GATES_MAX:
        raise _invalid(f"{len(found)} channel patterns; {GATES_MAX} are the most")
    return MappingProxyType(dict(sorted(found.items())))


def gates_matching(gates: Gates, channel: str) -> Gates:
    """Return every gate that a channel stands behind, by its pattern: all have to be met."""
    found = {pattern: gate for pattern, gate in gates.items() if fnmatchcase(channel, pattern)}
    return MappingProxyType(found)


def _invalid(message: str) -> InvalidField:
    return InvalidField(
        message,
        reason="FIELD_INVALID",
        hint="Name a channel or a pattern like `prod-*`, and what it asks for.",
    )
