# SPDX-License-Identifier: Apache-2.0
"""When something of a queue begins or ends: a pure function of what there is to do and for whom.

In: the engine's seconds that each job needs yet. Out: seconds from now. Tenants are taken to be
served side by side, each by its weight, as the policy does in turns.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tabard_server.scheduler.claims import Claim, Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """One job, as far as time goes.

    Attributes:
        claim: What one of its images is to the others.
        rows_waiting: Images that have not begun.
        row_seconds: Of the engine, for one of those.
        rows_running: Images that have begun and are not done.
        running_seconds: Of the engine, for what is left of all of those.
    """

    claim: Claim
    rows_waiting: int
    row_seconds: float
    rows_running: int = 0
    running_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Of the engine, in all."""
        return self.rows_waiting * self.row_seconds + self.running_seconds


def wait_before(claim: Claim, *, queue: Collection[Backlog], weights: Weights) -> float:
    """Return when a job that comes now begins: behind what its own tenant has before it."""
    if not any(job.rows_waiting for job in queue):
        return 0.0
    before = [
        job
        for job in queue
        if job.claim.tenant != claim.tenant or job.claim.priority >= claim.priority
    ]
    if not claim.is_background:
        before = [job for job in before if not job.claim.is_background]
    mine = sum(job.seconds for job in before if job.claim.tenant == claim.tenant)
    return _served_in(mine, tenant=claim.tenant, queue=before, weights=weights)


def rows_leave_in(
    rows: int, *, tenant: str | None, queue: Collection[Backlog], weights: Weights
) -> float:
    """Return when so many images that wait will have begun: as many must be done before.

    Args:
        rows: How many; there may be fewer, and then others like them are thought to follow.
        tenant: Whose; None: anybody's.
        queue: Everything there is to do.
        weights: Of the tenants.
    """
    own = [job for job in queue if tenant is None or job.claim.tenant == tenant]
    ends: list[float] = []
    for job in own:
        ends += [job.running_seconds / max(1, job.rows_running)] * job.rows_running
    for job in own:
        ends += [job.row_seconds] * job.rows_waiting
    if not ends:
        return 0.0
    # Of whole images: those that run have a part of theirs behind them.
    whole = [job.row_seconds for job in own for _ in range(job.rows_waiting + job.rows_running)]
    mean = sum(whole) / len(whole)
    needed = sum(ends[:rows]) + mean * max(0, rows - len(ends))
    if tenant is None:
        return needed
    # Where some are refused, all who are served now are taken to go on.
    busy = {job.claim.tenant for job in queue}
    return needed / weights.share_of(tenant, among=busy)


def _served_in(seconds: float, *, tenant: str, queue: Iterable[Backlog], weights: Weights) -> float:
    """Return when a tenant was served so much, while the others are as long as they have work."""
    left: dict[str, float] = {}
    for job in queue:
        if job.claim.tenant != tenant:
            left[job.claim.tenant] = left.get(job.claim.tenant, 0.0) + job.seconds
    passed, rest, gone = 0.0, seconds, 0.0
    for other in sorted(left, key=lambda one: left[one] / weights.of(one)):
        share = weights.share_of(tenant, among=left)
        # Until this one has no work any more: by then each had as much for its weight.
        until = left.pop(other) / weights.of(other)
        served = (until - gone) * weights.of(tenant)
        if served >= rest:
            return passed + rest / share
        passed, rest, gone = passed + served / share, rest - served, until
    return passed + rest
