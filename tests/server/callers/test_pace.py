# SPDX-License-Identifier: Apache-2.0
"""How long a caller may keep a stream waiting."""

from tabard_server.callers.pace import Pace


def test_silence_is_waited_for_once() -> None:
    """Whoever sends nothing has the idle bound, and no more."""
    pace = Pace(idle_seconds_max=10.0, bytes_per_second_min=100.0)

    pace.note(waited_seconds=4.0, size_bytes=0)

    assert pace.seconds_left == 6.0


def test_steady_sender_is_never_over() -> None:
    """However long it takes, at the rate or above it each message has the whole idle bound."""
    pace = Pace(idle_seconds_max=10.0, bytes_per_second_min=100.0)

    for _message in range(1_000):
        pace.note(waited_seconds=1.0, size_bytes=100)

    assert pace.seconds_left == 10.0


def test_trickle_is_over() -> None:
    """Little bits, each just in time, are no way to hold a place."""
    pace = Pace(idle_seconds_max=10.0, bytes_per_second_min=100.0)
    waits = 0

    while pace.seconds_left >= 9.0:
        pace.note(waited_seconds=9.0, size_bytes=1)
        waits += 1

    assert waits < 3
    assert pace.seconds_left < 9.0


def test_burst_does_not_buy_silence() -> None:
    """What came fast before allows no longer silence after it."""
    pace = Pace(idle_seconds_max=10.0, bytes_per_second_min=100.0)

    pace.note(waited_seconds=0.0, size_bytes=10**9)

    assert pace.seconds_left == 10.0


def test_small_messages_count_as_more() -> None:
    """The time that many little messages take is the server's own, not their reader's."""
    pace = Pace(idle_seconds_max=10.0, bytes_per_second_min=100.0, message_bytes_min=100)

    for _message in range(1_000):
        pace.note(waited_seconds=0.5, size_bytes=1)

    assert pace.seconds_left == 10.0
