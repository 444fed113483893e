# SPDX-License-Identifier: Apache-2.0
"""Whom the page shows no report unasked: who may still vote on its pairs, and is known."""

import asyncio

import pytest

from tabard import PermissionDenied
from tabard_web.page.review.blindness import can_vote
from tests.web.page.review.registries import FakeRegistry


class WithoutRole(FakeRegistry):
    async def next_pair(self, ref: str, *, held: object = ()) -> None:
        raise PermissionDenied(ref, reason="ROLE_MISSING")


@pytest.mark.parametrize(
    ("registry", "is_kept"),
    [
        (FakeRegistry(), True),
        (FakeRegistry(has_seen=True), False),
        (FakeRegistry(proof=""), False),
        (WithoutRole(), False),
    ],
)
def test_report_is_kept_from_voters(registry: FakeRegistry, is_kept: bool) -> None:
    """Not from those who have seen it, who may not vote, or whom nobody asks who they are."""
    assert asyncio.run(can_vote(registry, "acme/ink@3.0.0")) is is_kept  # type: ignore[arg-type]
