# SPDX-License-Identifier: Apache-2.0
"""Evidence about a rate of losses that holds whenever one stops to look: mixtures of bets.

In: counts of losses and units. Out: logarithms of e-values. By Ville's inequality an e-value
exceeds 1/alpha at any time with probability alpha at most, however the units depend on the past.
"""

import numpy as np
import numpy.typing as npt

Counts = npt.ArrayLike
"""Whole numbers, one or many; losses and units are broadcast against each other."""
Floats = npt.NDArray[np.float64]

BETS = 64
"""Bets of a mixture. A finite mixture keeps the guarantee exactly; more of them gain nothing."""


def log_evidence_above(losses: Counts, units: Counts, *, rate: float) -> Floats:
    """Weigh the evidence that losses are more frequent than `rate`.

    Args:
        losses: Units that were lost.
        units: All units; no unit may be counted twice.
        rate: The highest chance of a loss, given the past, if nothing is wrong; in (0, 1).

    Returns:
        The natural logarithm of the e-value, of the shape of the counts.
    """
    return _log_mixture(losses, units, rate=rate, low=rate, high=1.0)


def log_evidence_below(losses: Counts, units: Counts, *, rate: float) -> Floats:
    """Weigh the evidence that losses are rarer than `rate`: the mirror of the other."""
    return _log_mixture(losses, units, rate=rate, low=0.0, high=rate)


def _log_mixture(losses: Counts, units: Counts, *, rate: float, low: float, high: float) -> Floats:
    if not 0.0 < rate < 1.0:
        raise ValueError(f"a rate of losses is between 0 and 1, not {rate}")
    lost = np.asarray(losses, dtype=np.float64)[..., np.newaxis]
    kept = np.asarray(units, dtype=np.float64)[..., np.newaxis] - lost
    if np.any(lost < 0) or np.any(kept < 0):
        raise ValueError("losses are between none and all units")
    bets = low + (high - low) * (np.arange(BETS) + 0.5) / BETS
    gains = lost * np.log(bets / rate) + kept * np.log((1.0 - bets) / (1.0 - rate))
    highest = gains.max(axis=-1)
    spread = np.exp(gains - highest[..., np.newaxis]).mean(axis=-1)
    return np.asarray(highest + np.log(spread), dtype=np.float64)
