# SPDX-License-Identifier: Apache-2.0
"""Seats for those who were told to come back: kept for a while, and bounded."""

from tabard_server.jobs.bookings import Bookings


def booked(*names: str, wait: float = 10.0) -> Bookings:
    """Return the bookings of one-image requests of a tenant, made at 0."""
    found = Bookings(rows_max=3)
    for name in names:
        found.keep(name, tenant="a", rows=1, now=0.0, wait=wait)
    return found


def test_booking_is_taken_once_when_due() -> None:
    """Who comes too early has none yet; nobody else has it; and nothing is in its own way."""
    bookings = booked("me")

    assert not bookings.is_due("me", now=5.0)
    assert not bookings.is_due("you", now=10.0)
    assert bookings.is_due("me", now=10.0)
    assert (bookings.rows_of("a"), bookings.rows_of("a", but="me")) == (1, 0)
    bookings.drop("me")
    assert not bookings.is_due("me", now=10.0)
    assert (bookings.rows_of("a"), bookings.tenants()) == (0, frozenset())


def test_who_does_not_come_is_forgotten() -> None:
    """After a time in which a client may be late."""
    bookings = booked("me")

    bookings.expire(now=14.0)
    assert bookings.rows_of("a") == 1
    bookings.expire(now=15.0)
    assert bookings.rows_of("a") == 0


def test_bookings_are_bounded() -> None:
    """Whoever comes when all are spoken for has none."""
    bookings = booked("1", "2", "3", "4")

    assert bookings.rows_of("a") == 3
    assert not bookings.is_due("4", now=10.0)


def test_new_time_replaces_the_old() -> None:
    """Who was told twice is forgotten when the second time is over, not the first."""
    bookings = booked("me")
    bookings.keep("me", tenant="a", rows=1, now=10.0, wait=10.0)

    bookings.expire(now=20.0)
    assert bookings.is_due("me", now=20.0)
    bookings.expire(now=25.0)
    assert bookings.rows_of("a") == 0
