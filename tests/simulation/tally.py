# SPDX-License-Identifier: Apache-2.0
"""What the histories had in them: counts that show that the faults and races really happened."""

from __future__ import annotations

from collections import Counter

from tests.simulation.process import World


class Tally:
    """Sums over histories.

    Attributes:
        counts: Events, by kind.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, world: World) -> None:
        """Add one history."""
        self.counts["histories"] += 1
        self.counts["store calls and turns"] += world.scheduler.events
        self.counts["records"] += sum(key.startswith("log/") for key in world.bucket.objects)
        self.counts.update(world.ledger.counts)
        for _, _, verb, _, fate, *_ in world.events:
            if verb != "told" and isinstance(fate, str) and fate != "applied":
                self.counts[f"{verb}: {fate}"] += 1

    def __str__(self) -> str:
        return "\n".join(f"  {n:>10}  {what}" for what, n in sorted(self.counts.items()))
