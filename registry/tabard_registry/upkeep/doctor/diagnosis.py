# SPDX-License-Identifier: Apache-2.0
"""What a doctor says: checks with a verdict each, and the worst of them as the verdict of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]

_WORST_FIRST: tuple[Verdict, ...] = ("fail", "warn", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, in a word or two.
        verdict: `ok`. `warn`: it works, and somebody should know. `fail`: records would be lost,
            or nothing works.
        detail: What was seen.
        remedy: What to do; empty when there is nothing to do.
    """

    name: str
    verdict: Verdict
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What the examination of a place found.

    Attributes:
        url: The place.
        checks: In the order in which they were made; after one that leaves no sense in going on,
            there are no more.
        is_vacant: Whether there is no registry yet.
    """

    url: str
    checks: tuple[Check, ...]
    is_vacant: bool = False

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the checks."""
        found = {check.verdict for check in self.checks}
        return next((verdict for verdict in _WORST_FIRST if verdict in found), "ok")

    @property
    def is_safe(self) -> bool:
        """Whether several servers may write there."""
        return self.verdict != "fail"
