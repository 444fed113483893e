# SPDX-License-Identifier: Apache-2.0
"""Callers as values, and what one of them may hold of anything."""

import pytest

from tabard_server.callers.caller import Caller, share_of


def test_equal_keys_are_one_caller() -> None:
    """Bounds count by the value, whichever call made it."""
    assert len({Caller("192.0.2.7"), Caller("192.0.2.7"), Caller("192.0.2.8")}) == 2


@pytest.mark.parametrize(("places", "share"), [(1, 1), (2, 1), (4, 3), (64, 48), (1_000, 750)])
def test_share_leaves_something(places: int, share: int) -> None:
    """Of what has more than one place, one is left to others; a single one may be had."""
    assert share_of(places, share=0.75) == share
