# SPDX-License-Identifier: Apache-2.0
"""The constants of a canary."""

import pytest

from tabard_server.judgement.canary.policy import CanaryPolicy


@pytest.mark.parametrize(
    "wrong",
    [
        {"false_rollback_max": 0.0},
        {"broken_rate_max": 1.0},
        {"soft_weight": 0.5},
        {"soft_weight": -0.1, "hard_weight": 0.9},
        {"difference_min": float("nan")},
        {"units_max": 0},
    ],
)
def test_policy_without_guarantee_is_refused(wrong: dict[str, float]) -> None:
    """Weights that do not sum to one, and rates that are none, would promise what is not kept."""
    with pytest.raises(ValueError):
        CanaryPolicy(**wrong)  # type: ignore[arg-type]


def test_streams_can_be_left_out() -> None:
    """A canary without people has all its weight on what is measured."""
    policy = CanaryPolicy(soft_weight=0.5, hard_weight=0.5, votes_weight=0.0, complaints_weight=0.0)

    assert policy.votes_weight == 0.0
