# SPDX-License-Identifier: Apache-2.0
"""Who holds something here, as one value that a door makes and every bound counts by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller, as far as a door can tell callers apart.

    Attributes:
        key: Equal for whatever comes from the same caller.
        tenant: Whose share of the machine it uses; empty where nobody said.
        address: Where it is, however many connections it opens; empty where that is not known.
    """

    key: str
    tenant: str = ""
    address: str = ""


OPERATORS = Caller("operators")
"""Whoever comes by the address that is kept for operators."""
NOBODY = Caller("")
"""Who asks when no door was passed: this process itself."""


def share_of(places: int, *, share: float) -> int:
    """Return how many of some places one caller may hold: at least one."""
    return max(1, int(places * share))
