# SPDX-License-Identifier: Apache-2.0
"""Many canaries at once: planted releases against rules of stopping, by arrays of counts.

The rules here look up the evidence of all counts; one test says that they and the state agree.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabard_server.judgement.canary.betting import log_evidence_above, log_evidence_below
from tabard_server.judgement.canary.policy import CanaryPolicy

Differences = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
POLICY = CanaryPolicy()
NEVER = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What scorers would say of canaries: arrays of canaries x units."""

    differences: Differences
    candidate_broken: Flags
    stable_broken: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When each canary was rolled back and when it succeeded, in units; NEVER if not."""

    rolled_back: npt.NDArray[np.int64]
    succeeded: npt.NDArray[np.int64]

    @property
    def rollback_share(self) -> float:
        """Share of canaries that were rolled back before anything else."""
        return float(np.mean((self.rolled_back < NEVER) & (self.rolled_back <= self.succeeded)))

    @property
    def success_share(self) -> float:
        """Share of canaries that succeeded first."""
        return float(np.mean((self.succeeded < NEVER) & (self.succeeded < self.rolled_back)))

    @property
    def rollback_median(self) -> float:
        """Median units of those that were rolled back."""
        first = self.rolled_back[self.rolled_back <= self.succeeded]
        return float(np.median(first[first < NEVER]))


Rule = Callable[[Planted], Ends]


def plant(
    rng: np.random.Generator,
    *,
    canaries: int,
    mean: float = 0.0,
    deviation: float = 0.0,
    ruined: float = 0.0,
    broken: float = 0.0,
) -> Planted:
    """Draw canaries that differ by `mean`, ruin a share of prompts, and break a share of them."""
    shape = (canaries, POLICY.units_max)
    differences = rng.normal(mean, deviation, shape)
    differences[rng.random(shape) < ruined] = -0.8
    return Planted(
        differences=differences,
        candidate_broken=rng.random(shape) < broken,
        stable_broken=np.zeros(shape, dtype=bool),
    )


def by_the_rule(planted: Planted, *, policy: CanaryPolicy = POLICY) -> Ends:
    """Stop as the policy says."""
    losing, discordant = _soft(planted, policy)
    hard_loss, hard = _hard(planted)
    soft_e = _above(np.cumsum(losing, axis=1), np.cumsum(discordant, axis=1))
    hard_e = _above(np.cumsum(hard_loss, axis=1), np.cumsum(hard, axis=1))
    rest = policy.votes_weight + policy.complaints_weight
    evidence = policy.soft_weight * np.exp(soft_e) + policy.hard_weight * np.exp(hard_e) + rest
    units = np.broadcast_to(np.arange(1, losing.shape[1] + 1), losing.shape)
    proof = -np.log(policy.false_success_max)
    lost = np.cumsum(losing | hard_loss, axis=1)
    rarely = _below(lost, units, rate=policy.loss_rate_max) >= proof
    if policy.broken_rate_max < 0.99:
        broken = np.cumsum(hard_loss, axis=1)
        rarely &= _below(broken, units, rate=policy.broken_rate_max) >= proof
    return Ends(
        rolled_back=_first(evidence >= 1.0 / policy.false_rollback_max), succeeded=_first(rarely)
    )


def peeking_z_test(planted: Planted) -> Ends:
    """A mutant: test the mean at a nominal 1 %, one-sided, after each unit from the tenth."""
    values = planted.differences
    units = np.arange(1, values.shape[1] + 1)
    mean = np.cumsum(values, axis=1) / units
    variance = np.maximum(np.cumsum(values**2, axis=1) / units - mean**2, 1e-12)
    z = mean / np.sqrt(variance / units)
    return _ends(_first((z < -2.326) & (units >= 10)))


def plain_sign_test(planted: Planted) -> Ends:
    """A mutant: Success once fewer than half of all pairs are proven to be worse."""
    worse = np.cumsum(planted.differences < 0, axis=1)
    units = np.broadcast_to(np.arange(1, worse.shape[1] + 1), worse.shape)
    evidence = np.exp(_above(worse, units))
    better = _below(worse, units, rate=0.5) >= -np.log(POLICY.false_success_max)
    return Ends(
        rolled_back=_first(evidence >= 1.0 / POLICY.false_rollback_max), succeeded=_first(better)
    )


def _soft(planted: Planted, policy: CanaryPolicy) -> tuple[Flags, Flags]:
    discordant = np.abs(planted.differences) > policy.difference_min
    return discordant & (planted.differences < 0), discordant


def _hard(planted: Planted) -> tuple[Flags, Flags]:
    one_side = planted.candidate_broken ^ planted.stable_broken
    return one_side & planted.candidate_broken, one_side


def _above(losses: npt.NDArray[np.int64], units: npt.NDArray[np.int64]) -> Differences:
    return np.asarray(_table(log_evidence_above, 0.5)[losses, units])


def _below(
    losses: npt.NDArray[np.int64], units: npt.NDArray[np.int64], *, rate: float
) -> Differences:
    return np.asarray(_table(log_evidence_below, rate)[losses, units])


def _table(evidence: Callable[..., Differences], rate: float) -> Differences:
    units = np.arange(POLICY.units_max + 1)
    losses = np.minimum(units[:, None], units[None, :])
    return evidence(losses, np.broadcast_to(units, losses.shape), rate=rate)


def _first(flags: Flags) -> npt.NDArray[np.int64]:
    return np.where(flags.any(axis=1), flags.argmax(axis=1) + 1, NEVER)


def _ends(rolled_back: npt.NDArray[np.int64]) -> Ends:
    return Ends(rolled_back=rolled_back, succeeded=np.full_like(rolled_back, NEVER))
