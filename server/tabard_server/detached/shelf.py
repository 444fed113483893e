# SPDX-License-Identifier: Apache-2.0
"""Which detached jobs are kept: by time, by number and by bytes, and who makes room first.

In: jobs as they begin and grow. Out: those that are to go. A job that is not over never goes: the
seats of the queue bound those. Asyncio thread; touches no disk.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from tabard_server.detached.held import Held
from tabard_server.detached.record import Owner
from tabard_server.limits import Tenants
from tabard_server.webhooks.settings import JobsSettings


class Shelf:
    """Jobs by id, the oldest first."""

    def __init__(
        self, settings: JobsSettings, *, tenants: Tenants, clock: Callable[[], float]
    ) -> None:
        """Take the bounds, and what tells the seconds since 1970."""
        self._settings = settings
        self._tenants = tenants
        self._clock = clock
        self._jobs: dict[str, Held] = {}
        self._by_request: dict[tuple[Owner, str], str] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def byte_count(self) -> int:
        """Bytes of all images on this server's disk."""
        return sum(map(_bytes_of, self._jobs.values()))

    def add(self, held: Held) -> None:
        """Keep a job."""
        record = held.record
        self._jobs[record.id] = held
        if record.request_id:
            self._by_request[record.owner, record.request_id] = record.id

    def get(self, job: str, *, owner: Owner) -> Held | None:
        """Return a job of somebody; None: they have no such job."""
        held = self._jobs.get(job)
        return held if held is not None and held.record.owner == owner else None

    def find(self, job: str) -> Held | None:
        """Return a job, whoever's it is."""
        return self._jobs.get(job)

    def called(self, request_id: str, *, owner: Owner) -> Held | None:
        """Return the job that an id of its owner's stands for; None: none."""
        found = self._by_request.get((owner, request_id)) if request_id else None
        return None if found is None else self._jobs.get(found)

    def of(self, owner: Owner) -> list[Held]:
        """Return somebody's jobs, the newest first."""
        mine = [held for held in self._jobs.values() if held.record.owner == owner]
        return sorted(mine, key=lambda held: (-held.record.created_at, held.record.id))

    def all(self) -> list[Held]:
        """Return every job."""
        return list(self._jobs.values())

    def take(self, held: Held) -> None:
        """Keep a job no longer. Idempotent."""
        record = held.record
        self._jobs.pop(record.id, None)
        if self._by_request.get((record.owner, record.request_id)) == record.id:
            del self._by_request[record.owner, record.request_id]
        held.vanish()

    def kept_until(self, held: Held) -> float:
        """Say until when an ended job is kept, if there is room."""
        return held.record.ended_at + self._settings.keep_seconds

    def due(self) -> list[Held]:
        """Return the jobs that are to go: too old, or more than may be kept."""
        ended = sorted(
            (held for held in self._jobs.values() if held.record.state.is_ended),
            key=lambda held: held.record.ended_at,
        )
        now = self._clock()
        going = {id(held): held for held in ended if self.kept_until(held) <= now}
        for held in self._crowded([held for held in ended if id(held) not in going], going=going):
            going[id(held)] = held
        return list(going.values())

    def _crowded(self, ended: list[Held], *, going: dict[int, Held]) -> Iterator[Held]:
        """Yield what is beyond the bounds: the oldest of whoever has most."""
        staying = [held for held in self._jobs.values() if id(held) not in going]
        numbers, sizes = _counts(staying)
        for held in ended:
            tenant = self._tenants.of(held.record.owner.tenant)
            name = held.record.owner.tenant
            if _is_beyond(numbers[name], tenant.jobs_max) or _is_beyond(
                sizes[name], tenant.job_bytes_max
            ):
                numbers[name] -= 1
                sizes[name] -= _bytes_of(held)
                going[id(held)] = held
                yield held
        while (by := self._beyond(numbers, sizes)) is not None:
            waiting = [held for held in ended if id(held) not in going]
            having = {held.record.owner.tenant for held in waiting}
            if not having:
                return
            most = max(having, key=lambda name: by[name])
            held = next(one for one in waiting if one.record.owner.tenant == most)
            numbers[most] -= 1
            sizes[most] -= _bytes_of(held)
            going[id(held)] = held
            yield held

    def _beyond(self, numbers: Counter[str], sizes: Counter[str]) -> Counter[str] | None:
        if sizes.total() > self._settings.bytes_max:
            return sizes
        return numbers if numbers.total() > self._settings.kept_max else None


def _counts(jobs: list[Held]) -> tuple[Counter[str], Counter[str]]:
    numbers: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for held in jobs:
        numbers[held.record.owner.tenant] += 1
        sizes[held.record.owner.tenant] += _bytes_of(held)
    return numbers, sizes


def _bytes_of(held: Held) -> int:
    return 0 if held.record.place else held.record.byte_count


def _is_beyond(value: int, most: int | None) -> bool:
    return most is not None and value > most
