# SPDX-License-Identifier: Apache-2.0
"""Envoy's ring, written again, against the real Envoy and against what a ring promises."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from tests.capacity.envoy import running_envoy
from tests.capacity.ring import LeastOfTwo, RingHash, addresses

KEYS = [f"{number * 2_654_435_761:032x}" for number in range(60)]


def test_ring_is_envoys(tmp_path: Path) -> None:
    """Every key goes where the real Envoy sends it."""
    with running_envoy(tmp_path, servers=7, balance_factor=0) as real:
        ring = RingHash(real.hosts)

        assert [real.ask(key) for key in KEYS] == [ring.primary(key) for key in KEYS]


def test_spill_is_envoys(tmp_path: Path) -> None:
    """What a full server may not have goes where the real Envoy sends it, call by call."""
    with running_envoy(tmp_path, servers=5, balance_factor=120) as real:
        ring = RingHash(real.hosts, balance_factor=120)
        active = [0] * len(real.hosts)
        there, here = [], []
        for key in [KEYS[0]] * 14 + KEYS[:14] + [KEYS[3]] * 8:
            chosen = ring.choose(key, active=active, total=sum(active))
            active[chosen] += 1
            here.append(chosen)
            there.append(real.ask(key, is_held=True))

    assert there == here
    assert len(set(here[:14])) > 2


def test_new_server_moves_few_keys() -> None:
    """A server more takes its part of the keys, and no key moves between the others."""
    keys = [str(number) for number in range(5_000)]
    before = RingHash(addresses(10), minimum_ring_size=10_000)
    after = RingHash(addresses(11), minimum_ring_size=11_000)

    moved = [after.primary(key) for key in keys if after.primary(key) != before.primary(key)]

    assert set(moved) == {10}
    assert 0.04 * len(keys) < len(moved) < 0.16 * len(keys)


def test_nobody_has_more_than_bound() -> None:
    """However hot one key is, no server has more calls than its bound and one."""
    ring = RingHash(addresses(20), balance_factor=150)
    active = [0] * 20

    for total in range(400):
        active[ring.choose("hot", active=active, total=total)] += 1

    assert max(active) <= 1.5 * 400 / 20 + 2


def test_few_points_are_uneven() -> None:
    """With about one point for each server, some own many times as much as the mean."""
    keys = [str(number) for number in range(20_000)]

    spreads = []
    for size in (1_024, 100_000):
        ring = RingHash(addresses(1_000), minimum_ring_size=size)
        spreads.append(max(Counter(map(ring.primary, keys)).values()) / 20)

    assert spreads[0] > 3.0
    assert spreads[1] < 2.2


def test_least_of_two_evens_out() -> None:
    """Who has less of two is chosen."""
    router = LeastOfTwo(2, rng=np.random.default_rng(1))

    chosen = Counter(router.choose("any", active=[0, 9], total=9) for _ in range(200))

    assert chosen[0] > 130
