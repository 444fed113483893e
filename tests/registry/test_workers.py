# SPDX-License-Identifier: Apache-2.0
import itertools
import threading

import pytest

from tabard_registry.workers import each


@pytest.mark.parametrize("workers", [1, 3])
def test_results_keep_their_order(workers: int) -> None:
    """Whoever is done first, results come as their things did."""
    assert list(each(lambda n: n * n, range(300), workers=workers)) == [n * n for n in range(300)]


@pytest.mark.parametrize(("workers", "is_here"), [(1, True), (2, False)])
def test_one_worker_calls_here(workers: int, is_here: bool) -> None:
    """Several are threads of their own."""
    (thread,) = each(lambda _: threading.current_thread(), [0], workers=workers)

    assert (thread is threading.current_thread()) is is_here


@pytest.mark.parametrize("workers", [1, 2])
def test_first_exception_ends_it(workers: int) -> None:
    """What comes before it is given; nothing after it is."""
    given = each(lambda n: 6 // (3 - n), range(9), workers=workers)

    assert list(itertools.islice(given, 3)) == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(given)


def test_waiting_things_are_bounded() -> None:
    """Of many things, one batch for each worker is taken and no more."""
    things = iter(range(10_000))

    first = next(each(lambda n: n, things, workers=2))

    assert (first, next(things)) == (0, 64)
