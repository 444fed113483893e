# SPDX-License-Identifier: Apache-2.0
"""Takes releases out of service when a record says so: quarantined and purged ones.

In: the registry's records as they come, own and others'. Out: running jobs that wear such a
release end with a typed error, and memory and disk let go of it. New jobs are refused by admission.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tabard_registry import AppliedRecord, Digest
from tabard_server.adapters.host_cache import HostCache
from tabard_server.errors import ReleaseWithdrawn
from tabard_server.generation import Generation
from tabard_server.jobs.job import Job
from tabard_server.telemetry.logs import log_event

_WITHDRAWALS = {"quarantine": "RELEASE_QUARANTINED", "purge": "RELEASE_PURGED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """One act that took a release out of service.

    Attributes:
        digest: `sha256:…` of the release.
        name: `namespace/name@version`.
        act: `quarantine` or `purge`.
        reason: Why, in the words of who did it.
        seq: Log position of the act.
    """

    digest: str
    name: str
    act: str
    reason: str
    seq: int

    def concerns(self, job: Job) -> bool:
        """Whether a job was pinned before the act; later ones knew of it and were admitted."""
        return job.registry_seq < self.seq and self.digest in job.pinned

    def error(self) -> ReleaseWithdrawn:
        """Make the error that ends a job."""
        said = "purged" if self.act == "purge" else "quarantined"
        return ReleaseWithdrawn(
            f"{self.name} was {said} while the job wore it: {self.reason}",
            reason=_WITHDRAWALS[self.act],
            hint="ask again without it, or by a channel once that is rolled back",
        )


class Withdrawal:
    """Watches records for withdrawals. Asyncio thread."""

    def __init__(
        self,
        *,
        generation: Generation,
        cache: HostCache,
        empty_slot: Callable[[str], None],
        forget: Sequence[Callable[[Digest], None]],
        empty_jobs: Callable[[str, ReleaseWithdrawn], None],
    ) -> None:
        """Take what holds releases.

        `empty_slot` lets go of one on the device, each of `forget` drops something of a purged one
        from the disk: its files, its pictures; `empty_jobs` the kept images of jobs that wore one.
        """
        self._empty_jobs = empty_jobs
        self._generation = generation
        self._cache = cache
        self._empty_slot = empty_slot
        self._forget = forget

    def review(self, records: Sequence[AppliedRecord]) -> None:
        """Act on every withdrawal among the records. Idempotent."""
        for withdrawn in withdrawals_in(records):
            stopped = self._generation.stop_where(withdrawn.concerns, error=withdrawn.error())
            self._empty_jobs(withdrawn.digest, withdrawn.error())
            self._cache.drop(withdrawn.digest)
            self._empty_slot(withdrawn.digest)
            if withdrawn.act == "purge":
                for forget in self._forget:
                    forget(Digest.parse(withdrawn.digest))
            log_event(
                "release.withdrawn",
                act=withdrawn.act,
                release=withdrawn.name,
                digest=withdrawn.digest,
                seq=withdrawn.seq,
                jobs_stopped=stopped,
            )


def withdrawals_in(records: Iterable[AppliedRecord]) -> Iterator[Withdrawn]:
    """Yield the acts that took a release out of service, in their order."""
    for applied in records:
        for action, effect in zip(applied.record.actions, applied.effects, strict=True):
            if effect.effective and action.type in _WITHDRAWALS:
                yield Withdrawn(
                    digest=action.digest,
                    name=f"{action.adapter}@{action.version}",
                    act=action.type,
                    reason=action.reason,
                    seq=applied.seq,
                )
