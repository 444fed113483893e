# SPDX-License-Identifier: Apache-2.0
"""How many replicas there shall be: by the seconds of work that wait, not by calls.

In: the queue of each replica. Out: a number. Pure, and on its own: Ray copies it into its
controller, where nothing of Tabard is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

METRIC = "queue_work_seconds"


class QueuePolicy:
    """Keeps the queue of a replica, on average, at a number of seconds."""

    def __init__(self, queue_work_seconds: float) -> None:
        self._target = queue_work_seconds

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Answer as Ray asks; it waits for the delays, and keeps to the bounds, by itself."""
        told: Mapping[Any, float] = (context.aggregated_metrics or {}).get(METRIC, {})
        wanted = replicas_for(
            list(told.values()),
            target_seconds=self._target,
            running=context.current_num_replicas,
        )
        least = context.capacity_adjusted_min_replicas
        most = context.capacity_adjusted_max_replicas
        return max(least, min(most, wanted)), {}


def replicas_for(queues: list[float], *, target_seconds: float, running: int) -> int:
    """Return how many replicas have no more than the target each, on average.

    There are fewer only once that many would have half of it: who has just gone is not missed.

    Args:
        queues: Seconds of work that wait, by replica; those that said nothing are left out.
        target_seconds: What one may have.
        running: Replicas now.
    """
    if not queues:
        return running
    seconds = sum(queues) * running / len(queues)
    wanted = max(1, math.ceil(seconds / target_seconds))
    if wanted >= running:
        return wanted
    return max(1, min(running, math.ceil(2 * seconds / target_seconds)))
