# SPDX-License-Identifier: Apache-2.0
"""How many replicas there shall be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tabard_ray.scaling import METRIC, QueuePolicy, replicas_for


@pytest.mark.parametrize(
    ("queues", "running", "wanted"),
    [
        ([], 3, 3),
        ([0.0], 1, 1),
        ([29.0], 1, 1),
        ([31.0], 1, 2),
        ([300.0, 0.0], 2, 10),
        # One of two would have more than half of what it may: both stay.
        ([10.0, 10.0], 2, 2),
        ([5.0, 5.0], 2, 1),
        ([0.0, 0.0, 0.0], 3, 1),
        # Who says nothing has as much as the others.
        ([40.0], 2, 3),
    ],
)
def test_replicas_follow_work(queues: list[float], running: int, wanted: int) -> None:
    """More where there is more than the target each, fewer where half of it is left."""
    assert replicas_for(queues, target_seconds=30.0, running=running) == wanted


def test_policy_keeps_to_its_bounds() -> None:
    """What Ray is told lies between its fewest and its most."""
    policy = QueuePolicy(queue_work_seconds=10.0)

    def asked(seconds: float) -> int:
        return policy(
            SimpleNamespace(
                aggregated_metrics={METRIC: {"one": seconds, "two": seconds}},
                current_num_replicas=2,
                capacity_adjusted_min_replicas=2,
                capacity_adjusted_max_replicas=5,
            )
        )[0]

    assert (asked(0.0), asked(12.0), asked(1_000.0)) == (2, 3, 5)


def test_silence_changes_nothing() -> None:
    """Before any replica has told of itself there are as many as there are."""
    context = SimpleNamespace(
        aggregated_metrics=None,
        current_num_replicas=3,
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=5,
    )

    assert QueuePolicy(queue_work_seconds=10.0)(context) == (3, {})
