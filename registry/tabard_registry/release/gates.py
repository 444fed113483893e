# SPDX-License-Identifier: Apache-2.0
"""What a namespace asks of a release before a channel may point to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from tabard_registry.errors import InvalidField, PreconditionFailed
from tabard_registry.release.bounds import Bounds, as_bounds, check_bounds, strictest

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
        bounds: What that Success is judged by, by name; those of the server that measured stand
            for the others.
        promote_on_success: Whether a canary that succeeds moves the channel by itself.

    Raises:
        InvalidField: It asks for nothing, or for something unknown.
        PreconditionFailed: No release could meet it (POLICY_UNSATISFIABLE).
    """

    require_success: bool = False
    reviews: int = 0
    require_checks: bool = False
    bounds: Bounds = field(default_factory=lambda: MappingProxyType({}))
    promote_on_success: bool = False

    def __post_init__(self) -> None:
        flags = (self.require_success, self.require_checks, self.promote_on_success)
        is_flagged = all(isinstance(flag, bool) for flag in flags)
        if not is_flagged or type(self.reviews) is not int or self.reviews < 0:
            raise _invalid("a gate asks for a success, for checks, and for a number of reviews")
        check_bounds(self.bounds)
        if self.bounds and not self.require_success:
            raise _invalid("bounds are of the Success that a gate asks for, and it asks for none")
        object.__setattr__(self, "bounds", as_bounds(self.bounds))
        if self.reviews > REVIEWS_ASKED_MAX:
            raise PreconditionFailed(
                f"no release can have {self.reviews} reviews",
                reason="POLICY_UNSATISFIABLE",
                hint=f"Ask for at most {REVIEWS_ASKED_MAX}.",
            )
        if not any((*flags, self.reviews)):
            raise _invalid("a gate that asks for nothing")

    def to_json(self) -> dict[str, Any]:
        """Write the gate as a JSON object; what came later stands there only if it is said."""
        said = {
            "require_success": self.require_success,
            "reviews": self.reviews,
            "require_checks": self.require_checks,
        }
        later = {"bounds": dict(self.bounds), "promote_on_success": self.promote_on_success}
        return said | {name: one for name, one in later.items() if one}


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


def bounds_asked(gates: Iterable[Gate], *, defaults: Bounds) -> Bounds:
    """Return what a Success of a channel is judged by: the strictest that its gates ask for.

    Args:
        gates: Those that the channel stands behind.
        defaults: The bounds of the server that measured.
    """
    return strictest((gate.bounds for gate in gates if gate.require_success), defaults=defaults)


def promotes_on_success(gates: Iterable[Gate]) -> bool:
    """Say whether a canary that succeeds moves a channel: every gate that it stands behind says so.

    Where there is none, nobody said so.
    """
    said = [gate.promote_on_success for gate in gates]
    return bool(said) and all(said)


def _invalid(message: str) -> InvalidField:
    return InvalidField(
        message,
        reason="FIELD_INVALID",
        hint="Name a channel or a pattern like `prod-*`, and what it asks for.",
    )
