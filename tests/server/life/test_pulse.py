# SPDX-License-Identifier: Apache-2.0
"""A sign of life: silence is counted while there is work, and only then."""

from tabard_server.life.pulse import Pulse


def test_silence_counts_from_the_last_beat() -> None:
    """Each beat begins it anew."""
    now = [100.0]
    pulse = Pulse(clock=lambda: now[0])

    pulse.beat()
    now[0] = 107.0
    silent = pulse.silent_seconds
    pulse.beat()

    assert (silent, pulse.silent_seconds) == (7.0, 0.0)


def test_rest_is_no_silence() -> None:
    """Who has nothing to do may say nothing: before the first beat, and after the work."""
    now = [100.0]
    pulse = Pulse(clock=lambda: now[0])

    before = pulse.silent_seconds
    pulse.beat()
    pulse.rest()
    now[0] = 1_000.0

    assert (before, pulse.silent_seconds) == (0.0, 0.0)
