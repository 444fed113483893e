# SPDX-License-Identifier: Apache-2.0
"""When something of a queue begins: by the work before it, and by weight."""

import pytest

from tabard_server.scheduler.claims import Claim, Priority, Weights
from tabard_server.scheduler.estimate import Backlog, rows_leave_in, wait_before

EVEN = Weights()


def backlog(
    tenant: str, rows: int = 1, *, seconds: float = 1.0, running: float = 0.0, **claim: Priority
) -> Backlog:
    """Return a job of so many images that wait, each so long, and one that has begun."""
    return Backlog(
        claim=Claim(tenant=tenant, **claim),  # type: ignore[arg-type]
        rows_waiting=rows,
        row_seconds=seconds,
        rows_running=int(running > 0),
        running_seconds=running,
    )


def test_empty_queue_is_no_wait() -> None:
    """Nor is one in which all have begun: a newcomer steps beside them."""
    assert wait_before(Claim(), queue=[], weights=EVEN) == 0.0
    assert wait_before(Claim(), queue=[backlog("", 0, running=9.0)], weights=EVEN) == 0.0


def test_wait_is_for_the_own_tenant() -> None:
    """What others have before it makes the own work slower, no more."""
    queue = [backlog("heavy", 100), backlog("mine", 3)]

    assert wait_before(Claim(tenant="mine"), queue=queue, weights=EVEN) == 6.0
    assert wait_before(Claim(tenant="new"), queue=queue, weights=EVEN) == 0.0


def test_weight_shortens_the_wait() -> None:
    """Three quarters of the engine are faster than a half."""
    queue = [backlog("heavy", 100), backlog("mine", 3)]

    assert wait_before(
        Claim(tenant="mine"), queue=queue, weights=Weights(by_tenant={"mine": 3.0})
    ) == pytest.approx(4.0)


def test_others_who_end_make_it_faster() -> None:
    """Once they have nothing left, all of the engine is for the rest."""
    queue = [backlog("short", 1), backlog("mine", 3)]

    assert wait_before(Claim(tenant="mine"), queue=queue, weights=EVEN) == pytest.approx(4.0)


def test_lower_priorities_are_not_before_it() -> None:
    """Nor is background, of whomever it is."""
    queue = [
        backlog("a", 5, priority=Priority.LOW),
        backlog("a", 2),
        backlog("b", 9, priority=Priority.BACKGROUND),
    ]

    assert wait_before(Claim(tenant="a"), queue=queue, weights=EVEN) == 2.0
    assert wait_before(Claim(tenant="a", priority=Priority.LOW), queue=queue, weights=EVEN) == 7.0


def test_rows_leave_as_others_end() -> None:
    """Those that have begun first; more than there are go on like them."""
    queue = [backlog("", 2, seconds=4.0, running=1.0)]

    found = [rows_leave_in(rows, tenant="", queue=queue, weights=EVEN) for rows in (1, 2, 3, 5)]
    assert found == [1.0, 5.0, 9.0, 17.0]
    assert rows_leave_in(4, tenant="", queue=[], weights=EVEN) == 0.0


def test_rows_of_one_tenant_leave_at_its_rate() -> None:
    """Anybody's leave at the rate of the whole engine."""
    queue = [backlog("a", 50), backlog("b", 50)]

    assert rows_leave_in(10, tenant="a", queue=queue, weights=EVEN) == 20.0
    assert rows_leave_in(10, tenant=None, queue=queue, weights=EVEN) == 10.0
