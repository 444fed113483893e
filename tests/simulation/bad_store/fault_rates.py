# SPDX-License-Identifier: Apache-2.0
"""How bad a store is in one history: rates and delays, drawn from the seed.

Each history has rates of its own, so that some are calm but for one kind of fault, and some
have everything at once: rates that are the same everywhere would hide what only one fault shows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum


class Fate(Enum):
    """What happens to one request that writes."""

    DONE = "done"
    """Applied and answered."""
    LOST = "lost"
    """Never applied; the caller sees a time-out, a 500 or a 409."""
    LOST_ANSWER = "lost answer"
    """Applied; the caller sees a time-out or a 500."""
    LATE = "late"
    """The caller sees a time-out and goes on; the request is applied later."""
    TWICE = "twice"
    """Applied now and once more later; answered as the first."""
    REPEATED = "repeated"
    """Applied, its answer lost, and sent again by the library: answered as the second."""
    MISTAKEN = "mistaken"
    """Never applied; a conflict is answered as if there were an object."""
    REFUSED = "refused"
    """Never applied, and the caller is told so."""


FAULTS = tuple(fate for fate in Fate if fate is not Fate.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """Rates of one history.

    Attributes:
        faults: Probability of each fault of a writing request.
        silence: Probability that a reading request is not answered.
        crash: Probability that the caller dies at a call.
        latency_seconds: Mean time of half a round trip.
        straggle: Probability that half a round trip takes much longer.
        late_seconds: Mean time until a late request is applied.
    """

    faults: dict[Fate, float]
    silence: float
    crash: float
    latency_seconds: float
    straggle: float
    late_seconds: float

    @classmethod
    def draw(cls, rng: random.Random) -> FaultRates:
        """Draw the rates of a history: each fault is absent in about half of them."""
        return cls(
            faults={fate: rng.choice((0.0, 0.0, 0.02, 0.08, 0.2)) for fate in FAULTS},
            silence=rng.choice((0.0, 0.02, 0.1)),
            crash=rng.choice((0.0, 0.0, 0.005, 0.02)),
            latency_seconds=rng.choice((0.001, 0.02)),
            straggle=rng.choice((0.0, 0.05, 0.2)),
            late_seconds=rng.choice((0.02, 0.5, 20.0)),
        )

    def fate(self, rng: random.Random) -> Fate:
        """Draw what happens to a writing request."""
        left = rng.random()
        for fate, rate in self.faults.items():
            left -= rate
            if left < 0:
                return fate
        return Fate.DONE

    def half_trip(self, rng: random.Random) -> float:
        """Draw the seconds that a request, or its answer, is under way."""
        mean = self.latency_seconds * (50 if rng.random() < self.straggle else 1)
        return rng.expovariate(1 / mean)

    def lateness(self, rng: random.Random) -> float:
        """Draw the seconds until a late request is applied."""
        return rng.expovariate(1 / self.late_seconds)


CALM = FaultRates(
    faults={}, silence=0.0, crash=0.0, latency_seconds=0.001, straggle=0.0, late_seconds=1.0
)
"""A store without faults."""
