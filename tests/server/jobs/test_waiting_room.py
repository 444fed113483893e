# SPDX-License-Identifier: Apache-2.0
"""The waiting room: seats are taken all or none and given back exactly once."""

import pytest

from tabard_server.callers.caller import NOBODY, Caller
from tabard_server.errors import Overloaded
from tabard_server.jobs.waiting_room import WaitingRoom


def test_full_room_refuses_whole_job() -> None:
    """A job that does not fit takes no seat at all."""
    room = WaitingRoom(rows_max=3, caller_share_max=1.0, retry_seconds=2.0)
    room.enter(2, caller=NOBODY)

    with pytest.raises(Overloaded) as refusal:
        room.enter(2, caller=NOBODY)

    assert room.depth == 2
    assert refusal.value.retry_seconds == 2.0


def test_seats_come_back_once() -> None:
    """Rising and leaving never give back more than was taken."""
    room = WaitingRoom(rows_max=5, caller_share_max=1.0, retry_seconds=1.0)
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
    room = WaitingRoom(rows_max=4, caller_share_max=0.75, retry_seconds=1.0)
    greedy, light = Caller("greedy"), Caller("light")
    seats = room.enter(3, caller=greedy)

    with pytest.raises(Overloaded, match="3 images of this caller wait") as refusal:
        room.enter(1, caller=greedy)
    room.enter(1, caller=light).leave()
    seats.leave()
    room.enter(3, caller=greedy)

    assert refusal.value.reason == "QUEUE_FULL"
    assert "caller_share_max" in refusal.value.hint
