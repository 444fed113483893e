# SPDX-License-Identifier: Apache-2.0
"""Who may still vote on pairs of a release: they are shown nothing of its report unasked.

The server notes who was shown a report, and takes no votes of theirs any more. A page that shows
reports by itself would make an end of every blind review.
"""

from __future__ import annotations

from tabard import AsyncClient, FailedPrecondition, NotFound, PermissionDenied


async def can_vote(client: AsyncClient, ref: str) -> bool:
    """Say whether a visitor who is known has pairs of a release to vote on.

    Where nobody is asked who they are, nothing is noted, and nobody is kept from anything.
    """
    if not (await client.whoami()).proof:
        return False
    try:
        return await client.next_pair(ref) is not None
    except (FailedPrecondition, NotFound, PermissionDenied):
        return False
