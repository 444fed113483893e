# SPDX-License-Identifier: Apache-2.0
"""Evidence of losses: the mixture of bets against the integral it stands for."""

import numpy as np
import pytest
from scipy import special

from tabard_server.judgement.canary.betting import log_evidence_above, log_evidence_below

COUNTS = [(losses, units) for units in (0, 1, 7, 30, 100, 200) for losses in range(units + 1)]


def integral(losses: int, units: int, *, rate: float, is_above: bool) -> float:
    """The logarithm of the mixture over all bets, in closed form."""
    a, b = losses + 1, units - losses + 1
    tail = special.betaincc(a, b, rate) if is_above else special.betainc(a, b, rate)
    width = 1.0 - rate if is_above else rate
    bound = losses * np.log(rate) + (units - losses) * np.log1p(-rate)
    with np.errstate(divide="ignore"):
        return float(special.betaln(a, b) + np.log(tail) - np.log(width) - bound)


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.5])
@pytest.mark.parametrize("is_above", [True, False])
def test_mixture_equals_integral(rate: float, is_above: bool) -> None:
    """To two in a thousand where anything is decided."""
    evidence = log_evidence_above if is_above else log_evidence_below
    exact = np.array([integral(*one, rate=rate, is_above=is_above) for one in COUNTS])
    losses, units = np.array(COUNTS).T

    ours = evidence(losses, units, rate=rate)

    near = (exact > 0.0) & (exact < 10.0)
    assert near.sum() > 10
    assert np.abs(ours - exact)[near].max() < 2e-3


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.5])
@pytest.mark.parametrize("is_above", [True, False])
def test_mixture_is_near_the_integral_where_nothing_is_decided(rate: float, is_above: bool) -> None:
    """Below one it may lie on either side: a hundredth above, or a third below."""
    evidence = log_evidence_above if is_above else log_evidence_below
    exact = np.array([integral(*one, rate=rate, is_above=is_above) for one in COUNTS])
    losses, units = np.array(COUNTS).T

    gap = (evidence(losses, units, rate=rate) - exact)[np.isfinite(exact) & (exact <= 0.0)]

    assert gap.max() < 0.012
    assert gap.min() > -0.40


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.5])
def test_mirror_expects_nothing_of_fair_losses(rate: float) -> None:
    """The proof of rare losses keeps the guarantee too, whatever the integral would say."""
    losses, units = np.array(COUNTS).T

    now = np.exp(log_evidence_below(losses, units, rate=rate))
    lost = np.exp(log_evidence_below(losses + 1, units + 1, rate=rate))
    kept = np.exp(log_evidence_below(losses, units + 1, rate=rate))

    assert rate * lost + (1.0 - rate) * kept == pytest.approx(now, rel=1e-9)


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_evidence_expects_nothing_of_fair_losses(rate: float) -> None:
    """Whatever was seen, one more unit at exactly the allowed rate leaves it equal on average."""
    losses, units = np.array(COUNTS).T

    now = np.exp(log_evidence_above(losses, units, rate=rate))
    lost = np.exp(log_evidence_above(losses + 1, units + 1, rate=rate))
    kept = np.exp(log_evidence_above(losses, units + 1, rate=rate))

    assert rate * lost + (1.0 - rate) * kept == pytest.approx(now, rel=1e-9)


def test_no_units_are_no_evidence() -> None:
    """An e-value begins at one."""
    assert float(log_evidence_above(0, 0, rate=0.5)) == pytest.approx(0.0)
    assert float(log_evidence_below(0, 0, rate=0.05)) == pytest.approx(0.0)


@pytest.mark.parametrize(("losses", "units", "rate"), [(3, 2, 0.5), (-1, 2, 0.5), (1, 2, 1.0)])
def test_impossible_counts_are_refused(losses: int, units: int, rate: float) -> None:
    """More losses than units, or a rate that is certain, are mistakes of the caller."""
    with pytest.raises(ValueError):
        log_evidence_above(losses, units, rate=rate)
