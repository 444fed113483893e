# SPDX-License-Identifier: Apache-2.0
"""Measured work: averaged by kind, newer times counting more, failures not at all."""

import itertools

import pytest
import torch

from tabard_server.engine import stopwatch
from tabard_server.engine.stopwatch import Stopwatch


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """A stopwatch by which the first block takes a second, the next one two, and so on."""
    looks = itertools.chain.from_iterable((0.0, float(n)) for n in itertools.count(1))
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(looks))
    return Stopwatch(torch.device("cpu"))


def test_kinds_are_kept_apart(watch: Stopwatch) -> None:
    """Steps by their kind and rows, other work by its name."""
    for kind, rows in (("bare_step", 1), ("row_step", 1), ("row_step", 4), ("merged_step", 2)):
        with watch.timing(kind, rows=rows):
            pass
    for what in ("merge", "opening", "decoding"):
        with watch.timing(what):
            pass

    costs = watch.costs()

    assert (costs.bare_steps, costs.row_steps) == ({1: 1.0}, {1: 2.0, 4: 3.0})
    assert (costs.merged_steps, costs.merge) == ({2: 4.0}, 5.0)
    assert (costs.opening, costs.decoding) == (6.0, 7.0)


def test_newer_times_count_more(watch: Stopwatch) -> None:
    """The first is taken as it is; then three tenths of every new one."""
    for _ in range(3):
        with watch.timing("merge"):
            pass

    expected = 1.0 + 0.3 * (2.0 - 1.0)
    assert watch.costs().merge == pytest.approx(expected + 0.3 * (3.0 - expected))


def test_pieces_share_their_block(watch: Stopwatch) -> None:
    """Four rows that open in a second take a quarter each."""
    with watch.timing("opening", pieces=4):
        pass

    assert watch.costs().opening == 0.25


def test_failed_work_is_not_counted(watch: Stopwatch) -> None:
    """What broke off says nothing about how long it takes."""
    with pytest.raises(ZeroDivisionError), watch.timing("merge"):
        raise ZeroDivisionError

    assert watch.costs().merge == 0.0
