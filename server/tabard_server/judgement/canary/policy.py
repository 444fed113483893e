# SPDX-License-Identifier: Apache-2.0
"""What a canary is judged by: fixed before its first unit, or its error rates mean nothing."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPolicy:
    """The constants of a canary. The defaults were simulated together: change one, simulate again.

    The error rates are spent once per release: a second try is a new release.
    """

    false_rollback_max: float = 0.01
    """How often a good release may be rolled back, ever. One in a hundred: it costs a retry."""
    false_success_max: float = 0.05
    """How often Success may be said of a release that loses as often as the bounds below."""
    difference_min: float = 0.10
    """A pair whose scores differ by no more is a tie: a tenth of the way from base to references.
    The error rates were simulated with it; whether people see less was not measured."""
    loss_rate_max: float = 0.15
    """Success needs proof that fewer of the prompts got worse. One in ten ruined passes it in
    some runs; 0.10 stops that, and needs more prompts."""
    broken_rate_max: float = 0.05
    """Success needs proof that fewer of the prompts broke. Without this bound 8 % of broken
    pictures were promoted in most runs."""
    units_max: int = 200
    """Prompts after which nothing more is learned: people are asked. Equals succeed after 88."""
    step_units: int = 20
    """Judged prompts before each step of exposure, the first of them in the shadow: what is found
    within the median of a large regression reaches nobody."""
    soft_weight: float = 0.4
    """What is bet on scores. The weights sum to 1: evidence of streams that depend on each other
    is averaged, and a weight of zero leaves its stream out."""
    hard_weight: float = 0.4
    """What is bet on broken pictures: as much as on scores, for each must be able to roll back."""
    votes_weight: float = 0.1
    """What is bet on blind votes. Little: they are slow, and a small weight costs few of them."""
    complaints_weight: float = 0.1
    """What is bet on complaints of callers; little, for the same reason."""
    complaints_max: int = 1_000
    """Complaints that are counted: the state of a canary is bounded. 145 show a doubled rate."""

    def __post_init__(self) -> None:
        """Refuse what is no policy.

        Raises:
            ValueError: If a rate is no rate, or the weights do not sum to 1.
        """
        rates = ("false_rollback_max", "false_success_max", "loss_rate_max", "broken_rate_max")
        for name in rates:
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} is between 0 and 1, not {getattr(self, name)}")
        weights = (self.soft_weight, self.hard_weight, self.votes_weight, self.complaints_weight)
        if not all(weight >= 0.0 for weight in weights) or not math.isclose(sum(weights), 1.0):
            raise ValueError(f"the weights of the streams are at least 0 and sum to 1: {weights}")
        if not 0.0 <= self.difference_min < math.inf:
            raise ValueError(f"difference_min is 0 or more, not {self.difference_min}")
        if min(self.units_max, self.complaints_max, self.step_units) < 1:
            raise ValueError("units_max, complaints_max and step_units are at least 1")
