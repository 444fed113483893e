# SPDX-License-Identifier: Apache-2.0
"""Sizes share the engine's time, and nobody saves any up."""

import random

import pytest

from tabard_server.engine_port.drawing import Size
from tabard_server.scheduler.shares import Shares

SMALL, LARGE = (64, 64), (256, 256)


def test_step_puts_a_size_ahead() -> None:
    """By as much as it took; one that was not served is not ahead of anybody."""
    shares: Shares[Size] = Shares()

    shares.note(LARGE, amount=2.0)

    assert shares.ahead() == {LARGE: 2.0}


def test_newcomer_begins_where_others_stand() -> None:
    """Long work alone makes no debt: beside it a newcomer is one step behind, not all of them."""
    shares: Shares[Size] = Shares()
    for _ in range(100):
        shares.note(LARGE, amount=2.0)

    shares.note(SMALL, amount=0.1)

    assert shares.ahead() == pytest.approx({LARGE: 2.0, SMALL: 0.1})


def test_idle_size_saves_nothing_up() -> None:
    """Who was away while another was served for long does not have the engine to himself."""
    shares: Shares[Size] = Shares()
    shares.note(SMALL, amount=0.1)
    for _ in range(100):
        shares.note(LARGE, amount=2.0)

    for _ in range(20):
        shares.note(SMALL, amount=0.1)

    # Twenty short steps are one long one: now the large size is next.
    assert abs(shares.ahead()[LARGE] - shares.ahead()[SMALL]) < 0.11


def test_unmeasured_steps_leave_all_equal() -> None:
    """Where nobody knows what steps take, no size is ahead."""
    shares: Shares[Size] = Shares()

    shares.note(SMALL, amount=0.0)

    assert shares.ahead() == {}


def test_time_is_shared_evenly() -> None:
    """Whatever steps take, sizes that are always there have equal time, to within two steps."""
    dice = random.Random(5)
    took = {(8 * n, 8): dice.uniform(0.01, 3.0) for n in range(1, 6)}
    shares, spent = Shares[Size](), dict.fromkeys(took, 0.0)
    for _ in range(4_000):
        ahead = shares.ahead()
        size = min(took, key=lambda one: (ahead.get(one, 0.0), one))
        shares.note(size, amount=took[size])
        spent[size] += took[size]

    assert max(spent.values()) - min(spent.values()) <= 2 * max(took.values())


def test_who_is_taken_along_pays_for_it() -> None:
    """And takes nothing from who is behind."""
    shares = Shares[str]()
    shares.note("ahead", amount=5.0)

    shares.note_together({"ahead": 1.0, "behind": 1.0})

    assert shares.ahead() == {"ahead": 6.0, "behind": 1.0}
