# SPDX-License-Identifier: Apache-2.0
"""A fleet of the simulation: tiers against formulas, days that repeat, and the page they make."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tabard_server.adapters.disk_cache import DiskCache
from tabard_server.telemetry.metrics import Metrics
from tests.capacity.disk_tier import DiskTier
from tests.capacity.fleet import Plan, Result, run
from tests.capacity.inputs import Inputs
from tests.capacity.page import Answers, write_page
from tests.capacity.scenarios import (
    DEMANDS,
    ROUTERS,
    Needed,
    balance_plans,
    hit_plans,
    ring_size_plans,
    search,
    wave_plans,
)
from tests.capacity.trace import Workload, arrivals, moves, popular
from tests.root import ROOT

PLAN = Plan(servers=4, load=0.5, images=300, adapters=400, exponent=1.0, warm=60)


def test_disk_tier_is_the_real_one(tmp_path: Path) -> None:
    """What the tier without files finds, the real one with sparse files finds, use by use."""
    sizes = {name: (8 + name % 5) << 20 for name in range(40)}
    metrics = Metrics()
    real = DiskCache(tmp_path, fetch=_never, bytes_max=100 << 20, metrics=metrics)
    light = DiskTier(bytes_max=100 << 20)
    workload = Workload(adapters=40, exponent=0.8, rate=1.0, seconds=1.0)

    found = []
    for line in map(int, popular(workload, 400, rng=np.random.default_rng(3))):
        before = light.hits
        light.use(f"{line}.slab", size=sizes[line])
        found.append((light.hits > before, _use(real, f"{line}.slab", size=sizes[line])))

    assert all(mine == theirs for mine, theirs in found)
    assert 100 < light.hits < 350


def test_tier_is_between_lru_and_the_best() -> None:
    """Under Zipf the tier finds more than LRU by Che's approximation, and no more than is best."""
    adapters, room, count = 1_000, 60, 40_000
    shares = np.arange(1, adapters + 1, dtype=np.float64) ** -0.9
    shares /= shares.sum()
    tier = DiskTier(bytes_max=room)
    workload = Workload(adapters=adapters, exponent=0.9, rate=1.0, seconds=1.0)

    drawn = popular(workload, count, rng=np.random.default_rng(5))
    for number, line in enumerate(map(int, drawn)):
        if number == count // 4:
            tier.hits = tier.misses = 0
        tier.use(str(line), size=1)

    found = tier.hits / (tier.hits + tier.misses)
    assert _lru_by_che(shares, room) < found < float(shares[:room].sum()) + 0.01


def test_popularity_is_zipf() -> None:
    """The line of rank ten is asked for ten times as seldom as the first, at exponent one."""
    workload = Workload(adapters=100, exponent=1.0, rate=1.0, seconds=1.0)

    counts = np.bincount(popular(workload, 200_000, rng=np.random.default_rng(1)), minlength=100)

    assert counts[0] / counts[9] == pytest.approx(10.0, rel=0.1)


def test_wave_has_its_peak() -> None:
    """The busiest tenth of a day of 1:8 has about eight times as many as the quietest."""
    workload = Workload(adapters=10, exponent=1.0, rate=50.0, seconds=1_000.0, wave=8.0)

    times = [one.at for one in arrivals(workload, rng=np.random.default_rng(1))]

    tenths = np.histogram(times, bins=20, range=(0.0, 1_000.0))[0]
    assert len(times) == pytest.approx(50_000, rel=0.02)
    assert tenths.max() / tenths.min() == pytest.approx(8.0, rel=0.2)


def test_rollbacks_return_to_the_first() -> None:
    """A channel that is moved back means what it meant before, after it was moved."""
    workload = Workload(adapters=10, exponent=1.0, rate=1.0, seconds=100.0, releases=30)

    found = moves(workload, rng=np.random.default_rng(2))

    backs = [move for move in found if move.version == 0]
    assert 5 < len(backs) < 25
    assert [move.at for move in found] == sorted(move.at for move in found)


def test_same_seed_same_day() -> None:
    """A day repeats to the last bit; another seed is another day."""
    inputs = Inputs.read()
    plan = replace(PLAN, bursts=1, releases=4, wave=2.0)

    once, again, other = (run(replace(plan, seed=seed), inputs=inputs) for seed in (1, 1, 2))

    assert once == again
    assert once != other


def test_affinity_finds_more_than_chance() -> None:
    """Servers that see their own part of the adapters find more of them, in every tier."""
    inputs = Inputs.read()
    plan = replace(PLAN, servers=8, images=900, adapters=2_000, warm=150)

    ring, chance = (run(replace(plan, router=one), inputs=inputs) for one in ("ring", "random"))

    assert ring.host_hits > chance.host_hits + 0.1
    assert ring.slot_hits > chance.slot_hits
    assert ring.store_loads < chance.store_loads


def test_releases_are_loaded_everywhere() -> None:
    """Every server loads what a channel was moved to: so many loads more from the bucket."""
    inputs = Inputs.read()
    plan = replace(PLAN, adapters=8, warm=200)

    quiet, busy = (run(replace(plan, releases=count), inputs=inputs) for count in (0, 10))

    loads = busy.store_loads * busy.images - quiet.store_loads * quiet.images
    # Of four servers, and of those in the first fifth of the day some are not measured.
    assert loads >= 4 * 10 * 0.5


def test_search_finds_the_fewest() -> None:
    """The search ends at the first number that is enough, to one of forty."""
    day = run(replace(PLAN, images=20, warm=0), inputs=Inputs.read())
    asked = []

    def live(servers: int) -> Result:
        asked.append(servers)
        return replace(day, queue_p99=0.0 if servers >= 37 else 99.0)

    servers, result = search(live, first=4, is_enough=lambda one: one.queue_p99 < 1.0)

    assert servers == 37
    assert result.queue_p99 == 0.0
    assert len(asked) < 15


def test_page_has_every_day(tmp_path: Path) -> None:
    """The page has a line for every day, and pictures that a browser can read."""
    inputs = Inputs.read()
    result = run(replace(PLAN, images=20, warm=0), inputs=inputs)
    makers = (hit_plans, wave_plans, balance_plans, ring_size_plans)
    hits, waves, balances, rings = (
        dict.fromkeys(make(inputs=inputs, scale=0.1, seed=1), result) for make in makers
    )
    gpus = [
        Needed(demand=demand, router=router, servers=9, result=result)
        for demand in DEMANDS
        for router in ROUTERS
    ]
    answers = Answers(hits=hits, waves=waves, balances=balances, rings=rings, gpus=gpus)

    page = write_page(answers, inputs=inputs, folder=tmp_path, seed=1, scale=0.1).read_text()

    days = sum(map(len, (hits, waves, balances, rings)))
    # Those of ten servers with exponent one stand in two tables.
    assert page.count("| 0.00 s |") + page.count(" s | ") >= days
    assert "$" not in page
    for picture in ("host-hits", "queue", "store-loads", "gpus"):
        assert f"capacity/{picture}.svg" in page
        root = ElementTree.parse(tmp_path / "capacity" / f"{picture}.svg").getroot()
        assert len(root) > 20


def test_whole_page_is_current() -> None:
    """The page that lies in the documents was made by the words that there are now."""
    page = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
    words = (ROOT / "tests" / "capacity" / "page.md").read_text(encoding="utf-8")

    for line in words.splitlines():
        assert "$" in line or line in page


def _use(cache: DiskCache, name: str, *, size: int) -> bool:
    made = []
    cache.use(
        name,
        read=lambda path: path.stat().st_size,
        make=lambda: made.append(name) or size,
        write=_sparse(size),
    )
    return not made


def _sparse(size: int) -> Callable[[int, Path], None]:
    def write(_made: int, path: Path) -> None:
        with closing(path.open("wb")) as file:
            file.truncate(size)

    return write


def _never(_blob: object, _path: Path) -> None:
    raise AssertionError("nothing is fetched here")


def _lru_by_che(shares: np.ndarray, room: int) -> float:
    """Return the hit rate of LRU: the time after which one is forgotten fills the room."""
    low, high = 0.0, 1e9
    for _ in range(200):
        middle = (low + high) / 2
        filled = float((1.0 - np.exp(-shares * middle)).sum())
        low, high = (middle, high) if filled < room else (low, middle)
    assert math.isclose(low, high, rel_tol=1e-6)
    return float((shares * (1.0 - np.exp(-shares * low))).sum())
