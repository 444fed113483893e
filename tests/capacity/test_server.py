# SPDX-License-Identifier: Apache-2.0
"""One server of the simulation against what can be computed by hand."""

from __future__ import annotations

import math

import pytest

from tabard_server.limits import Limits
from tests.capacity.fleet import Plan, run
from tests.capacity.inputs import Inputs

ALONE = Limits(rows_per_step_max=1, running_rows_max=1)


def _one_second_each(load: float, *, images: int, steps: int = 1) -> tuple[Plan, Inputs]:
    """Give a day at a server that draws one image after the other, each in one second."""
    inputs = Inputs.read().with_(
        steps=steps,
        step_fixed_seconds=0.0,
        step_row_seconds=1.0 / steps,
        decode_seconds=0.0,
        text_window_seconds=0.0,
        slot_fill_seconds=0.0,
    )
    plan = Plan(
        servers=1,
        load=load / inputs.images_per_second,
        images=images,
        adapters=2,
        exponent=1.0,
        warm=20,
        seed=7,
    )
    return plan, inputs


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_queue_is_pollaczek_khinchin(load: float) -> None:
    """With one image at a time the mean wait is that of M/D/1: load / (2 (1 - load)) services."""
    plan, inputs = _one_second_each(load, images=6_000)

    found = run(plan, inputs=inputs, limits=ALONE)

    expected = load / (2 * (1 - load))
    assert found.queue_mean == pytest.approx(expected, rel=0.15)
    assert found.busy == pytest.approx(load, rel=0.05)
    assert found.latency_p50 >= 1.0


def test_nobody_waits_alone() -> None:
    """Where hardly anybody comes, an image takes its opening, its steps and its decoding."""
    inputs = Inputs.read()
    plan = Plan(servers=1, load=0.001, images=60, adapters=1, exponent=1.0, warm=5)

    found = run(plan, inputs=inputs)

    drawn = inputs.opening_seconds + inputs.steps * inputs.step_seconds(1) + inputs.decode_seconds
    assert found.queue_p99 == pytest.approx(0.0, abs=1e-6)
    assert found.latency_p50 == pytest.approx(drawn, abs=1e-6)
    assert found.rows == 1.0


def test_cold_load_is_waited_for() -> None:
    """An adapter that lies nowhere costs what the bucket, the check and the packing cost."""
    inputs = Inputs.read()
    plan = Plan(servers=1, load=0.001, images=60, adapters=1_000_000, exponent=0.1, warm=0)

    found = run(plan, inputs=inputs)

    assert found.queue_p50 == pytest.approx(inputs.store_seconds, abs=1e-6)
    assert found.host_hits < 0.05
    assert found.store_loads > 0.95


def test_full_batches_reach_the_rate() -> None:
    """Asked for more than it can draw, a server of one adapter draws what full batches draw."""
    inputs = Inputs.read()
    plan = Plan(servers=1, load=1.6, images=800, adapters=1, exponent=1.0, warm=5)

    found = run(plan, inputs=inputs)

    assert found.rows > 7.5
    assert found.busy == pytest.approx(1.0, abs=0.02)
    assert found.queue_p99 > 30.0


def test_alike_passes_change_nothing() -> None:
    """To ask the policy once for passes that it cannot but choose alike gives the same day."""
    inputs = Inputs.read()
    plan = Plan(servers=2, load=0.7, images=200, adapters=50, exponent=0.8, warm=20)

    skipping = run(plan, inputs=inputs)
    step_by_step = run(plan, inputs=inputs, may_skip=False)

    assert math.isclose(skipping.queue_mean, step_by_step.queue_mean, abs_tol=1e-6)
    assert math.isclose(skipping.latency_p99, step_by_step.latency_p99, abs_tol=1e-6)
    assert skipping.slot_hits == step_by_step.slot_hits
    assert skipping.host_hits == step_by_step.host_hits


def test_full_house_refuses() -> None:
    """Beyond its seats a server refuses, and nobody who was refused is counted as drawn."""
    inputs = Inputs.read()
    plan = Plan(servers=1, load=3.0, images=400, adapters=1, exponent=1.0, warm=0)

    found = run(plan, inputs=inputs, limits=Limits(queue_rows_max=10))

    assert found.refused > 0.4
    assert found.queue_p99 < 30.0
