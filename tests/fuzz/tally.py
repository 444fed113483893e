# SPDX-License-Identifier: Apache-2.0
"""What came of many cases: how often what, so that a run that tests nothing is seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.fuzz.judge import Outcome


@dataclass(slots=True)
class Tally:
    """Counts over cases.

    Attributes:
        outcomes: `accepted` or the reason of the refusal.
        changes: How often a change was made.
        strict: How often a file was refused that the reference reads, by reason.
        failures: What was broken, with the seed.
        peak_bytes: Most memory of a process.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    strict: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    peak_bytes: int = 0

    def count(self, outcome: Outcome, *, name: str) -> None:
        """Add one case."""
        self.outcomes["accepted" if outcome.accepted else outcome.reason] += 1
        self.changes.update(name.split(" > "))
        if outcome.is_strict:
            self.strict[outcome.reason] += 1

    def add(self, other: Tally) -> None:
        """Add what was counted elsewhere."""
        self.outcomes.update(other.outcomes)
        self.changes.update(other.changes)
        self.strict.update(other.strict)
        self.failures += other.failures
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)

    def __str__(self) -> str:
        lines = [f"  {count:>8}  {what}" for what, count in self.outcomes.most_common()]
        lines.append(f"refused though the reference reads them: {dict(self.strict)}")
        lines.append(f"at most {self.peak_bytes / 1e6:.0f} MB of memory in a process")
        return "\n".join(lines)
