# SPDX-License-Identifier: Apache-2.0
"""What a run had in it: counts that show that everything really happened, and what was broken."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Tally:
    """Sums of one run, or of several.

    Attributes:
        counts: Events, by kind.
        failures: What was broken, with the seed.
        memory_bytes: Resident memory at moments of the run, in their order.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    memory_bytes: list[int] = field(default_factory=list)
    _begun_at: float = field(default_factory=time.monotonic, init=False)

    @property
    def seconds(self) -> float:
        """How long the run took so far."""
        return time.monotonic() - self._begun_at

    def count(self, what: str, number: int = 1) -> None:
        """Count something."""
        self.counts[what] += number

    def weigh(self) -> None:
        """Note the memory of this process, where the system tells it."""
        statm = Path("/proc/self/statm")
        if statm.exists():
            pages = int(statm.read_text(encoding="ascii").split()[1])
            self.memory_bytes.append(pages * os.sysconf("SC_PAGE_SIZE"))

    def add(self, other: Tally) -> None:
        """Add what was counted elsewhere."""
        self.counts.update(other.counts)
        self.failures += other.failures
        self.memory_bytes += other.memory_bytes

    def __str__(self) -> str:
        lines = [f"  {n:>10}  {what}" for what, n in sorted(self.counts.items())]
        if weights := [weight >> 20 for weight in self.memory_bytes]:
            lines.append(f"  {weights[0]} MiB of memory first, {max(weights)} at most")
        return "\n".join(lines)
