# SPDX-License-Identifier: Apache-2.0
"""The waiting room: seats are taken all or none and given back exactly once."""

import pytest

from tabard_server.errors import Overloaded
from tabard_server.jobs.waiting_room import WaitingRoom


def test_full_room_refuses_whole_job() -> None:
    """A job that does not fit takes no seat at all."""
    room = WaitingRoom(rows_max=3, retry_seconds=2.0)
    room.enter(2)

    with pytest.raises(Overloaded) as refusal:
        room.enter(2)

    assert room.depth == 2
    assert refusal.value.retry_seconds == 2.0


def test_seats_come_back_once() -> None:
    """Rising and leaving never give back more than was taken."""
    room = WaitingRoom(rows_max=5, retry_seconds=1.0)
    other, seats = room.enter(1), room.enter(3)

    seats.leave_one()
    seats.leave()
    seats.leave()
    seats.leave_one()

    assert room.depth == 1
    assert seats.rows_ahead == 1
    assert other.rows == 1
