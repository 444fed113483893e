# SPDX-License-Identifier: Apache-2.0
"""What others wait for at most: the longest step that ever happened lately."""

from tabard_server.engine_port.costs import Costs


def test_longest_kind_of_step_counts() -> None:
    """Of all kinds and all numbers of rows; what is no step does not count."""
    costs = Costs(bare_steps={1: 0.1}, row_steps={1: 0.2, 4: 0.5}, merged_steps={2: 0.3}, merge=9.0)

    assert costs.step == 0.5


def test_nothing_measured_costs_nothing() -> None:
    """Before the first step nobody knows better."""
    assert Costs().step == 0.0
