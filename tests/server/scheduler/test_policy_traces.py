# SPDX-License-Identifier: Apache-2.0
"""Tenants, priorities and background over time: what holds in every trace of the policy."""

from itertools import count
from random import Random

import pytest

from tabard_server.scheduler.claims import Priority, Weights
from tests.server.scheduler.traces import STEPS_MAX, Device, Row, as_background, random_row

GREEDY = ("heavy", "greedy")


def busy_device(rng: Random) -> tuple[Device, "count[int]"]:
    """Return a device that two tenants keep full, some turns after they began."""
    weights = Weights(by_tenant={"heavy": rng.choice((1.0, 2.0, 5.0))})
    device, tickets = Device(weights=weights), count(1)
    for _ in range(rng.randint(0, 12)):
        refill(device, rng, tickets)
        device.take_turn()
    return device, tickets


def refill(device: Device, rng: Random, tickets: "count[int]", *, upto: int = 6) -> None:
    """Let so many rows of each greedy tenant wait, whatever has begun."""
    for tenant in GREEDY:
        mine = sum(row.claim.tenant == tenant for row in device.waiting.values())
        priority = rng.choice((Priority.LOW, Priority.NORMAL, Priority.HIGH))
        slots = rng.choice((0, 0, 3))
        device.arrive(
            random_row(rng, ticket=next(tickets), tenant=tenant, priority=priority, slots=slots)
            for _ in range(upto - mine)
        )


def wait_of_a_light_row(rng: Random) -> int:
    """Return the turns for which one row of a third tenant waits while the others go on."""
    device, tickets = busy_device(rng)
    light = random_row(rng, ticket=next(tickets), tenant="light", slots=rng.choice((0, 3)))
    device.arrive([light])
    came_at = device.turn
    # Every running row may have all its steps to go, and each may step alone.
    longest = STEPS_MAX * (device.running_rows_max + device.overtakes_max)
    while light.key not in device.begun:
        assert device.turn - came_at <= longest, "starved"
        refill(device, rng, tickets)
        device.take_turn()
    began_after = device.turn - came_at
    while light.key not in device.ended:
        assert device.turn - came_at <= 2 * longest, "starved among the running"
        refill(device, rng, tickets)
        device.take_turn()
    return began_after


@pytest.mark.parametrize("seed", range(100))
def test_no_tenant_starves(seed: int) -> None:
    """Whatever two tenants ask for, for as long as they like, a third begins and ends."""
    wait_of_a_light_row(Random(seed))


@pytest.mark.soak
def test_no_tenant_starves_in_many_traces() -> None:
    """The same ten thousand times; and most of them begin at the very next step boundary."""
    waits = sorted(wait_of_a_light_row(Random(f"trace {seed}")) for seed in range(10_000))

    assert waits[len(waits) // 2] == 1


@pytest.mark.parametrize("seed", range(8))
def test_time_is_shared_by_weight(seed: int) -> None:
    """Tenants that always have work get the engine's time by their weights, whatever they draw."""
    rng = Random(f"shares {seed}")
    weights = {"a": 1.0, "b": rng.choice((1.0, 2.0)), "c": rng.choice((1.0, 3.0))}
    device, tickets = Device(weights=Weights(by_tenant=weights)), count(1)
    for _ in range(1_500):
        for tenant in weights:
            mine = sum(row.claim.tenant == tenant for row in device.waiting.values())
            device.arrive(
                random_row(rng, ticket=next(tickets), tenant=tenant) for _ in range(6 - mine)
            )
        device.take_turn()

    total = sum(device.seconds.values())
    for tenant, weight in weights.items():
        due = total * weight / sum(weights.values())
        assert device.seconds[tenant] >= 0.9 * due


@pytest.mark.parametrize("seed", range(100))
def test_device_never_idles_while_someone_waits(seed: int) -> None:
    """Every turn steps somebody; and all who came are drawn."""
    rng = Random(f"busy {seed}")
    device, tickets = Device(), count(1)
    rows = [
        random_row(
            rng,
            ticket=next(tickets),
            tenant=rng.choice(("", "a", "b")),
            priority=rng.choice(list(Priority)),
            slots=rng.choice((0, 0, 2, 5)),
        )
        for _ in range(30)
    ]
    late = rows[20:]
    device.arrive(rows[:20])
    while late or not device.is_empty:
        if late and rng.random() < 0.3:
            device.arrive([late.pop()])
        if device.is_empty:
            continue
        choice = device.take_turn()
        assert choice.batch

    assert device.ended.keys() == {row.key for row in rows}


@pytest.mark.parametrize("seed", range(100))
def test_background_delays_nobody(seed: int) -> None:
    """Others step as if it were not there, but for the step under way when they came."""
    rng = Random(f"background {seed}")
    tickets = count(1)
    grid = [
        as_background(random_row(rng, ticket=next(tickets), tenant="c", slots=rng.choice((0, 3))))
        for _ in range(6)
    ]
    others = [
        random_row(rng, ticket=next(tickets), tenant=rng.choice("ab"), slots=rng.choice((0, 3, 5)))
        for _ in range(8)
    ]

    with_grid = Device()
    with_grid.arrive(grid)
    for _ in range(rng.randint(1, 8)):
        with_grid.take_turn()
    before = len(with_grid.steps)
    drawn = _steps_until_empty(with_grid, others)[before:]

    theirs = {row.key for row in others}
    alone = _steps_until_empty(Device(), others)
    assert [batch for batch in drawn if theirs & {*batch}] == alone
    # All of theirs come first; background goes on when they are done.
    assert drawn[: len(alone)] == alone
    assert with_grid.ended.keys() >= {row.key for row in grid}


@pytest.mark.parametrize("seed", range(100))
def test_shadows_only_fill_batches(seed: int) -> None:
    """Others step as if they were not there, in the same order; shadows use what is left."""
    rng = Random(f"shadow {seed}")
    tickets = count(1)
    shadows = [
        as_background(
            random_row(rng, ticket=next(tickets), tenant="c", slots=rng.choice((0, 3))),
            priority=Priority.SHADOW,
        )
        for _ in range(6)
    ]
    others = [
        random_row(rng, ticket=next(tickets), tenant=rng.choice("ab"), slots=rng.choice((0, 3, 5)))
        for _ in range(8)
    ]

    beside = Device()
    beside.arrive(shadows)
    theirs = {row.key for row in others}
    drawn = [
        tuple(key for key in batch if key in theirs) for batch in _steps_until_empty(beside, others)
    ]

    assert [batch for batch in drawn if batch] == _steps_until_empty(Device(), others)
    assert beside.ended.keys() >= {row.key for row in shadows}
    assert all(len(batch) <= beside.rows_per_step_max for batch in beside.steps)


def _steps_until_empty(device: Device, rows: list[Row]) -> list[tuple[tuple[int, int], ...]]:
    device.arrive(rows)
    while not device.is_empty:
        device.take_turn()
    return device.steps


def test_priority_orders_one_tenant() -> None:
    """High before normal before low, then by coming; others are not pushed aside by it."""
    rng = Random(1)
    device = Device(running_rows_max=1, rows_per_step_max=1)
    asked = [Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.NORMAL]
    device.arrive(
        random_row(rng, ticket=ticket, tenant="a", priority=priority)
        for ticket, priority in enumerate(asked, start=1)
    )

    while not device.is_empty:
        device.take_turn()

    assert [key[0] for key in sorted(device.begun, key=device.begun.__getitem__)] == [3, 2, 4, 1]
