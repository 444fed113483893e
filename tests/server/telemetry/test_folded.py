# SPDX-License-Identifier: Apache-2.0
"""Sums by key: a bounded number of them, and a sum of all that is always right."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from tabard_server.telemetry.folded import Folded


def test_longest_unheard_key_is_folded() -> None:
    """Each of its sums into that of the others."""
    sums: Folded[str] = Folded(keys_max=2, width=2)
    for key in ("a", "b", "a", "c"):
        sums.add(key, 1, 0.5)

    assert sums.read() == ([("a", (2, 1.0)), ("c", (1, 0.5))], (1, 0.5))


def test_folded_key_begins_anew() -> None:
    """What it had stays with the others; a stranger has nothing to fold."""
    sums: Folded[str] = Folded(keys_max=2)
    sums.add("a", 3)

    sums.fold("a")
    sums.fold("stranger")
    sums.add("a", 1)

    assert sums.read() == ([("a", (1,))], (3,))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=60))
def test_nothing_is_lost(acts: list[tuple[int, int]]) -> None:
    """However many keys there are."""
    sums: Folded[int] = Folded(keys_max=3)
    for key, amount in acts:
        sums.add(key, amount)

    found, others = sums.read()
    assert len(found) <= 3
    assert sum(one for _key, (one,) in found) + others[0] == sum(amount for _key, amount in acts)


def test_threads_lose_nothing() -> None:
    """Whoever adds, from wherever."""
    sums: Folded[int] = Folded(keys_max=2)

    def add() -> None:
        for number in range(500):
            sums.add(number % 5, 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found, others = sums.read()
    assert sum(one for _key, (one,) in found) + others[0] == 2_000
