# SPDX-License-Identifier: Apache-2.0
"""What a run had in it: counts that show that everything really happened, and how long it took."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path


class Tally:
    """Sums of one run.

    Attributes:
        counts: Events, by kind.
        rss_bytes: Resident memory at moments of the run, in their order.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rss_bytes: list[int] = []
        self._begun_at = time.monotonic()

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
            self.rss_bytes.append(pages * os.sysconf("SC_PAGE_SIZE"))

    def __str__(self) -> str:
        weights = " ".join(f"{weight / 2**20:.0f}" for weight in self.rss_bytes)
        lines = [f"  {n:>8}  {what}" for what, n in sorted(self.counts.items())]
        return "\n".join([*lines, f"  {weights}  MiB resident, over time"])
