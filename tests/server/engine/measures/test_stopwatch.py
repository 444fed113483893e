# SPDX-License-Identifier: Apache-2.0
"""Measured work: averaged by kind, newer times counting more, failures not at all."""

import itertools
from dataclasses import replace

import pytest
import torch

from tabard_server.engine.measures import stopwatch
from tabard_server.engine.measures.stopwatch import Stopwatch
from tabard_server.engine_port.work import Curve, Estimate, Work


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
    for what in ("merge", "opening"):
        with watch.timing(what):
            pass

    costs = watch.costs()

    assert (costs.bare_steps, costs.row_steps) == ({1: 1.0}, {1: 2.0, 4: 3.0})
    assert (costs.merged_steps, costs.merge) == ({2: 4.0}, 5.0)
    assert costs.opening == 6.0


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


def _take(watch: Stopwatch, *, times: int, side: int = 10, what: str = "row_step") -> None:
    for _ in range(times):
        with watch.timing(what, rows=1, size=(side, side)):
            pass


def test_steps_tell_the_pace(watch: Stopwatch) -> None:
    """The middle of what steps of one size took, as a share of what was expected of them."""
    watch.work = Work(step=Estimate(curve=Curve(linear=0.01)))

    _take(watch, times=2)
    assert not watch.work.step.paces
    _take(watch, times=1)

    assert watch.costs().work.step.paces == {100: 2.0}
    assert watch.work.step.seconds((10, 10)) == 2.0


def test_one_slow_step_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first step of a size may compile or warm up: a size is not shut out for that."""
    looks = itertools.chain.from_iterable((0.0, taken) for taken in (500.0, 1.0, 1.0, 1.0))
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(looks))
    watch = Stopwatch(torch.device("cpu"))
    watch.work = Work(step=Estimate(curve=Curve(linear=0.01)))

    _take(watch, times=4)

    assert watch.work.step.paces == {100: 1.0}


def test_old_pace_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A size that was slow once, and is refused since, is free again after other traffic."""
    monkeypatch.setattr(stopwatch.time, "perf_counter", itertools.count().__next__)
    watch = Stopwatch(torch.device("cpu"))
    watch.work = Work(step=Estimate(curve=Curve(linear=0.0001)))
    _take(watch, times=5, side=50)
    assert 2_500 in watch.work.step.paces

    _take(watch, times=300, side=10)

    assert list(watch.work.step.paces) == [100]


def test_decodings_have_their_own_pace(watch: Stopwatch) -> None:
    """They are measured beside steps; without a curve there is nothing to compare with."""
    watch.work = replace(Work(), decoding=Estimate(curve=Curve(linear=0.01)))

    _take(watch, times=3, what="decoding")
    _take(watch, times=3)

    assert watch.work.decoding.paces == {100: 2.0}
    assert not watch.work.step.paces
