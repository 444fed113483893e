# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the bench; what it measures is nobody's test."""

import pytest

from tests.bench.workload import Measured, ratio, spread


def test_median_ignores_one_slow_round() -> None:
    """One hiccup of the machine does not make the headline."""
    assert Measured(name="x", seconds=(1.0, 1.1, 9.0, 1.0, 1.2)).median == 1.1


def test_ratio_says_times_faster() -> None:
    """Twice the seconds is a ratio of two."""
    slow, fast = (Measured(name="x", seconds=seconds) for seconds in ((4.0,), (2.0,)))

    assert ratio(slow, fast) == 2.0


def test_measured_needs_rounds() -> None:
    """A number of no rounds is no number."""
    with pytest.raises(ValueError, match="never measured"):
        Measured(name="swap", seconds=())


def test_spread_shows_both_ends() -> None:
    """The reader sees how far the rounds lie apart."""
    assert spread((0.2, 0.1, 0.3)) == "0.100 to 0.300"
