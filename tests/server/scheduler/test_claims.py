# SPDX-License-Identifier: Apache-2.0
"""What an image in a queue is to the others."""

from tabard_server.scheduler.claims import Weights


def test_share_is_by_weight() -> None:
    """A tenant shares with those who are named, and with itself."""
    weights = Weights(by_tenant={"a": 3.0})

    assert weights.share_of("a", among=["b"]) == 0.75
    assert weights.share_of("b", among=["b"]) == 1.0
