# SPDX-License-Identifier: Apache-2.0
"""How long a watch looks for a server that went away."""

import random

import pytest

from tabard import Unavailable
from tabard.patience import Patience


class Clock:
    """Time that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_stranger_is_not_waited_for() -> None:
    """A server that was never there fails at once."""
    patience = Patience(60, clock=Clock())

    with pytest.raises(Unavailable):
        patience.pause_after(Unavailable("nobody"))


def test_pauses_grow_to_a_bound() -> None:
    """The first try comes at once, later ones at most every two seconds."""
    patience = Patience(60, clock=Clock(), rng=random.Random(1))
    patience.renew()

    pauses = [patience.pause_after(Unavailable("gone")) for _ in range(12)]

    assert pauses[0] < 0.1
    assert 0.5 < max(pauses) <= 2.0


def test_patience_ends_and_begins_anew() -> None:
    """Time counts from the first failure after the last success."""
    clock = Clock()
    patience = Patience(10, clock=clock)
    patience.renew()
    patience.pause_after(Unavailable("gone"))
    clock.now = 9
    patience.renew()
    patience.pause_after(Unavailable("gone again"))

    clock.now = 18
    patience.pause_after(Unavailable("still gone"))
    clock.now = 19
    with pytest.raises(Unavailable, match="too long"):
        patience.pause_after(Unavailable("too long"))
