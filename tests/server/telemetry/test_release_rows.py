# SPDX-License-Identifier: Apache-2.0
"""Rows by release: a bounded number of series, and a sum that is always right."""

import threading

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from tabard_server.telemetry.release_rows import OTHER, ReleaseRows


def series(rows: ReleaseRows) -> dict[tuple[str, str], float]:
    """Return every series as the page would show it."""
    (family,) = rows.collect()
    return {(s.labels["adapter"], s.labels["version"]): s.value for s in family.samples}


def made(*, releases_max: int = 2) -> ReleaseRows:
    return ReleaseRows(registry=CollectorRegistry(), releases_max=releases_max)


def test_page_shows_a_counter() -> None:
    """With its help and its labels, as of any other."""
    registry = CollectorRegistry()
    rows = ReleaseRows(registry=registry, releases_max=2)
    rows.count("acme/ink", "1.0.0")

    page = generate_latest(registry).decode()

    assert "# TYPE tabard_rows_total counter" in page
    assert 'tabard_rows_total{adapter="acme/ink",version="1.0.0"} 1.0' in page


def test_longest_idle_becomes_other() -> None:
    """Whoever drew again stays; what was counted stays counted."""
    rows = made(releases_max=2)

    for name in ("a", "b", "a", "c"):
        rows.count(name, "1.0.0")

    assert series(rows) == {("a", "1.0.0"): 2, ("c", "1.0.0"): 1, (OTHER, ""): 1}


def test_withdrawn_release_has_no_series() -> None:
    """Its images stay in the sum; one that nobody knows is no matter."""
    rows = made()
    rows.count("a", "1.0.0")
    rows.count("a", "1.1.0")

    rows.fold("a", "1.0.0")
    rows.fold("a", "1.0.0")
    rows.fold("stranger", "1.0.0")

    assert series(rows) == {("a", "1.1.0"): 1, (OTHER, ""): 1}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_sum_and_bound_always_hold(acts: list[tuple[bool, int]]) -> None:
    """Whatever is drawn and withdrawn: three series and `other`, and no image lost or doubled."""
    rows = made(releases_max=3)
    for is_drawn, number in acts:
        (rows.count if is_drawn else rows.fold)(f"ns/{number}", "1.0.0")

    found = series(rows)
    assert len(found) <= 4
    assert sum(found.values()) == sum(is_drawn for is_drawn, _ in acts)


def test_threads_lose_nothing() -> None:
    """Images are counted by the threads that write them."""
    rows = made(releases_max=2)

    def draw() -> None:
        for number in range(500):
            rows.count(f"ns/{number % 5}", "1.0.0")

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(series(rows).values()) == 2_000
