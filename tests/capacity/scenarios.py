# SPDX-License-Identifier: Apache-2.0
"""What `make capacity` asks: which days are lived through, and what they are compared by.

In: inputs, and how large the days are. Out: results by plan. Each run is a process's own affair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from tests.capacity.fleet import Plan, Result, run
from tests.capacity.inputs import Inputs

ADAPTERS = (100, 1_000, 10_000, 100_000)
EXPONENTS = (0.6, 1.0, 1.4)
SERVERS = (1, 10, 100, 1_000)
LINES = dict.fromkeys(SERVERS, ADAPTERS) | {1_000: (100, 10_000, 100_000)}
"""Release lines by servers: days of a thousand are long ones."""
WAVES = (1.0, 2.0, 4.0, 8.0)
ROUTERS = ("ring", "least", "random")
BALANCES = (0, 120, 150, 200)
DEMANDS = (2.0, 5.0, 10.0, 20.0)
TARGET_SECONDS = 8.0
"""What the GPUs are counted for: 99 of 100 images begin within that."""
IMAGES = {1: 1_000, 10: 2_500, 100: 3_000, 1_000: 20_000}
WARM = {1: 300, 10: 200, 100: 120, 1_000: 60}
DAY_SECONDS_MIN = 30.0
"""Many servers draw many images in a short time; a day is never shorter than a few of them."""
_SERVERS_MAX = 1_000

Found = dict[Plan, Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """GPUs for a demand.

    Attributes:
        demand: Images a second, on average of the day.
        router: As in `Plan`.
        servers: The fewest that kept the target; 0: not found below the most that were tried.
        result: Of these.
    """

    demand: float
    router: str
    servers: int
    result: Result


def hit_plans(*, inputs: Inputs, scale: float, seed: int) -> list[Plan]:
    """Every popularity at ten servers, and every number of servers at one popularity."""
    plans = [
        _plan(
            10,
            adapters=adapters,
            exponent=exponent,
            router=router,
            inputs=inputs,
            scale=scale,
            seed=seed,
        )
        for exponent in EXPONENTS
        for adapters in ADAPTERS
        for router in ("ring", "random")
    ]
    plans += [
        _plan(
            servers,
            adapters=adapters,
            exponent=1.0,
            router=router,
            inputs=inputs,
            scale=scale,
            seed=seed,
        )
        for servers in SERVERS
        for adapters in LINES[servers]
        for router in ("ring", "random")
        if servers != 10
    ]
    # The longest first: nobody waits for them at the end.
    return sorted(plans, key=lambda plan: -plan.servers)


def wave_plans(*, inputs: Inputs, scale: float, seed: int) -> list[Plan]:
    """Days of one mean and of ever higher peaks."""
    plan = _plan(
        10, adapters=10_000, exponent=1.0, router="ring", inputs=inputs, scale=2 * scale, seed=seed
    )
    plans = (replace(plan, load=0.4, wave=wave) for wave in WAVES)
    return [replace(one, router=router) for one in plans for router in ("ring", "random")]


def balance_plans(*, inputs: Inputs, scale: float, seed: int) -> list[Plan]:
    """Days with bursts, releases and rollbacks, by how much of the mean one server may have."""
    plan = _plan(
        30, adapters=10_000, exponent=1.0, router="ring", inputs=inputs, scale=2 * scale, seed=seed
    )
    plan = replace(plan, bursts=3, releases=20, load=0.5)
    rings = [replace(plan, balance_factor=percent) for percent in BALANCES]
    return [*rings, *(replace(plan, router=router) for router in ("least", "random"))]


def ring_size_plans(*, inputs: Inputs, scale: float, seed: int) -> list[Plan]:
    """A hundred servers on rings of several sizes."""
    plan = _plan(
        100, adapters=10_000, exponent=1.0, router="ring", inputs=inputs, scale=scale, seed=seed
    )
    return [replace(plan, ring_size=size) for size in (1_024, 8_192, 65_536)]


def live(plans: Iterable[Plan], *, inputs: Inputs, pool: ProcessPoolExecutor) -> Found:
    """Live through days, as many at once as the pool has processes."""
    begun = {plan: pool.submit(run, plan, inputs=inputs) for plan in plans}
    return {plan: future.result() for plan, future in begun.items()}


def needed(
    *, inputs: Inputs, scale: float, seed: int, pool: ProcessPoolExecutor
) -> Iterator[Needed]:
    """Count the GPUs of days with a wave of 1:4, a burst, releases and rollbacks."""
    searches = {
        (demand, router): pool.submit(
            fewest, demand, router=router, inputs=inputs, scale=scale, seed=seed
        )
        for demand in DEMANDS
        for router in ROUTERS
    }
    for future in searches.values():
        yield future.result()


def fewest(demand: float, *, router: str, inputs: Inputs, scale: float, seed: int) -> Needed:
    """Return the fewest servers that keep the target."""

    def day(servers: int) -> Result:
        plan = Plan(
            servers=servers,
            load=demand / (servers * inputs.images_per_second),
            images=round(2_000 * scale),
            adapters=10_000,
            exponent=1.0,
            wave=4.0,
            bursts=1,
            releases=5,
            router=router,
            warm=60,
            seed=seed,
        )
        return run(plan, inputs=inputs)

    servers, result = search(
        day,
        first=max(1, math.floor(demand / inputs.images_per_second)),
        is_enough=lambda one: one.queue_p99 <= TARGET_SECONDS and not one.refused,
    )
    return Needed(demand=demand, router=router, servers=servers, result=result)


def search(
    day: Callable[[int], Result], *, first: int, is_enough: Callable[[Result], bool]
) -> tuple[int, Result]:
    """Return the smallest number whose day is enough, and that day; 0 where none is.

    More servers are taken to be no worse than fewer.
    """
    too_few, enough = first - 1, first
    result = day(enough)
    while not is_enough(result):
        too_few, enough = enough, math.ceil(enough * 1.5)
        if enough > _SERVERS_MAX:
            return 0, result
        result = day(enough)
    while enough - too_few > 1 + enough // 40:
        middle = (too_few + enough) // 2
        tried = day(middle)
        if is_enough(tried):
            enough, result = middle, tried
        else:
            too_few = middle
    return enough, result


def _plan(
    servers: int,
    *,
    adapters: int,
    exponent: float,
    router: str,
    inputs: Inputs,
    scale: float,
    seed: int,
) -> Plan:
    load = 0.6
    least = DAY_SECONDS_MIN * servers * load * inputs.images_per_second
    return Plan(
        servers=servers,
        load=load,
        images=max(100, math.ceil(least), round(IMAGES.get(servers, 3_000) * scale)),
        adapters=adapters,
        exponent=exponent,
        router=router,
        ring_size=max(1_024, 100 * servers),
        warm=max(5, round(WARM.get(servers, 150) * min(1.0, scale))),
        seed=seed,
    )
