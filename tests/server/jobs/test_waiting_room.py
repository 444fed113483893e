# SPDX-License-Identifier: Apache-2.0
"""The waiting room: seats are taken all or none and given back exactly once."""

import pytest

from tabard_server.callers.caller import NOBODY, Caller
from tabard_server.errors import Overloaded
from tabard_server.limits import TenantLimits, Tenants
from tests.server.jobs.small_jobs import room_of


def test_full_room_refuses_whole_job() -> None:
    """A job that does not fit takes no seat at all."""
    room = room_of(3, caller_share_max=1.0)
    room.enter(2, caller=NOBODY)

    with pytest.raises(Overloaded) as refusal:
        room.enter(2, caller=NOBODY)

    assert room.depth == 2
    assert refusal.value.retry_seconds == 2.0


def test_seats_come_back_once() -> None:
    """Rising and leaving never give back more than was taken."""
    room = room_of(5, caller_share_max=1.0)
    other, seats = room.enter(1, caller=NOBODY), room.enter(3, caller=NOBODY)

    seats.leave_one()
    seats.leave()
    seats.leave()
    seats.leave_one()

    assert room.depth == 1
    assert seats.rows_ahead == 1
    assert other.rows == 1


def test_nobody_takes_all_seats() -> None:
    """Who has its share is refused while others are not; and gets in again once it left."""
    room = room_of(4, caller_share_max=0.75)
    greedy, light = Caller("greedy"), Caller("light")
    seats = room.enter(3, caller=greedy)

    with pytest.raises(Overloaded, match="3 images of this caller wait") as refusal:
        room.enter(1, caller=greedy)
    room.enter(1, caller=light).leave()
    seats.leave()
    room.enter(3, caller=greedy)

    assert refusal.value.reason == "QUEUE_FULL"
    assert "caller_share_max" in refusal.value.hint


def test_light_tenant_finds_a_seat() -> None:
    """Who has its share of all seats leaves the last quarter to those who have less."""
    room = room_of(8, caller_share_max=0.75)
    heavy = [Caller(f"{n}", tenant="heavy") for n in range(9)]
    light = Caller("x", tenant="light")
    for caller in heavy[:6]:
        room.enter(1, caller=caller)
    room.enter(1, caller=light)

    with pytest.raises(Overloaded, match="its part of 4"):
        room.enter(1, caller=heavy[6])
    room.enter(1, caller=light)


def test_tenant_has_a_queue_of_its_own_length() -> None:
    """Its bound counts, whatever is free."""
    room = room_of(8, tenants=Tenants([TenantLimits(name="small", queue_rows_max=2)]))
    first, second = Caller("1", tenant="small"), Caller("2", tenant="small")
    room.enter(2, caller=first)

    with pytest.raises(Overloaded, match="its part of 2"):
        room.enter(1, caller=second)
    room.enter(4, caller=Caller("1", tenant="large"))


def test_who_was_told_to_come_finds_a_seat() -> None:
    """Newcomers do not take it meanwhile; and it is not kept for ever."""
    now = [100.0]
    room = room_of(2, clock=lambda: now[0])
    first, second, third = (Caller(name) for name in ("1", "2", "3"))
    seats = room.enter(2, caller=first)
    with pytest.raises(Overloaded):
        room.enter(1, caller=second)
    seats.leave_one()

    with pytest.raises(Overloaded, match="told to come back"):
        room.enter(1, caller=third)
    now[0] += 2.0
    room.enter(1, caller=second).leave()
    with pytest.raises(Overloaded, match="told to come back"):
        room.enter(1, caller=first)
    now[0] += 60.0
    room.enter(1, caller=first)


def test_each_refusal_waits_behind_those_before() -> None:
    """What it is told follows from how many must begin before it."""
    asked: list[tuple[int, str | None]] = []

    def retry_after(rows: int, tenant: str | None) -> float:
        asked.append((rows, tenant))
        return float(rows)

    room = room_of(2, retry_after=retry_after)
    room.enter(2, caller=Caller("0"))
    told = []
    for name in ("1", "2", "3"):
        with pytest.raises(Overloaded) as refusal:
            room.enter(1, caller=Caller(name))
        told.append(refusal.value.retry_seconds)

    assert told == [1.0, 2.0, 3.0]
    assert asked == [(1, ""), (2, ""), (3, "")]


def test_promise_outlasts_a_change_of_shares() -> None:
    """Who was told to come may take some of what is kept for lighter tenants."""
    now = [100.0]
    room = room_of(16, caller_share_max=0.75, clock=lambda: now[0])
    heavy = [Caller(f"{n}", tenant="heavy") for n in range(16)]
    for caller in heavy[:12]:
        room.enter(1, caller=caller)
    room.enter(1, caller=Caller("x", tenant="light"))
    with pytest.raises(Overloaded):
        room.enter(1, caller=heavy[12])
    with pytest.raises(Overloaded):
        room.enter(1, caller=heavy[13])

    now[0] += 2.0
    room.enter(1, caller=heavy[12])

    with pytest.raises(Overloaded, match="its part of 8"):
        room.enter(1, caller=heavy[13])


def test_promise_stands_until_it_is_over() -> None:
    """Who comes when it is due, and finds no seat, may wait for it; early or late it may not."""
    now = [100.0]
    room = room_of(1, clock=lambda: now[0])
    seats = room.enter(1, caller=Caller("0"))
    me = Caller("me")
    with pytest.raises(Overloaded):
        room.enter(1, caller=me)
    early = room.promised_seconds(caller=me)
    now[0] += 2.0
    with pytest.raises(Overloaded):
        room.enter(1, caller=me)
    due = room.promised_seconds(caller=me)

    assert (early, due) == (0.0, pytest.approx(2.5))
    assert room.promised_seconds(caller=Caller("you")) == 0.0
    now[0] += 2.6
    with pytest.raises(Overloaded):
        room.enter(1, caller=me)
    assert room.promised_seconds(caller=me) == 0.0
    now[0] += 2.0
    seats.leave()
    room.enter(1, caller=me)


def test_giving_back_is_told() -> None:
    """Whoever waits for a seat hears of it."""
    room, told = room_of(2), []
    seats = room.enter(2, caller=NOBODY)
    room.on_free = lambda rows: told.append((rows, room.depth))

    seats.leave_one()
    seats.leave()
    seats.leave()

    assert told == [(1, 1), (1, 0)]


def test_room_says_whether_it_has_seats() -> None:
    """The same as who enters would hear, and it takes none."""
    room = room_of(1)

    assert room.has_seats(1, caller=NOBODY)
    assert not room.has_seats(2, caller=NOBODY)
    seats = room.enter(1, caller=NOBODY)
    assert not room.has_seats(1, caller=Caller("you"))
    seats.leave()
    assert room.has_seats(1, caller=Caller("you"))
