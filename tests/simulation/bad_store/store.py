# SPDX-License-Identifier: Apache-2.0
"""The store as one process sees it: every call is two switch points, and may go wrong by the seed.

Implements `Store` over the shared `Bucket`. The process can die at every call; what it had on the
wire may still be applied, at once or much later.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from tabard_registry.errors import NotFound, StoreUnavailable
from tabard_registry.store.store import Outcome, StoredObject
from tests.simulation.bad_store.bucket import Bucket
from tests.simulation.bad_store.fault_rates import Fate, FaultRates
from tests.simulation.bad_store.scheduler import Crashed, Scheduler

Answer = TypeVar("Answer")
PAGE_OBJECTS = 3
"""Objects of one page of a listing; the next page is asked for later."""


class FaultyStore:
    """One process's client of the bucket. The seed decides what becomes of each call."""

    url = "simulated:"
    needs_doctor = True
    is_swept_when_opened = False

    def __init__(
        self,
        bucket: Bucket,
        *,
        owner: str,
        scheduler: Scheduler,
        rates: FaultRates,
        rng: random.Random,
        trace: Callable[..., None],
    ) -> None:
        self._bucket = bucket
        self._owner = owner
        self._scheduler = scheduler
        self._rates = rates
        self._rng = rng
        self._trace = trace
        self._is_dead = False

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create, and answer as an unreliable store would."""
        fate, is_made = self._write("create", key, lambda: self._bucket.create(key, body))
        if fate is Fate.REFUSED:
            raise _silent(key)
        if fate in (Fate.MISTAKEN, Fate.REPEATED):
            return Outcome.OCCUPIED
        if is_made is None:
            return Outcome.UNKNOWN
        return Outcome.CREATED if is_made else Outcome.OCCUPIED

    def put(self, key: str, *, chunks: Iterable[bytes]) -> None:
        """Store bytes if they are not there, as two requests."""
        body = b"".join(chunks)
        if self.size_bytes(key) is None:
            self._must_write("put", key, lambda: self._bucket.put(key, body))

    def replace(self, key: str, *, body: bytes) -> None:
        """Write over an object."""
        self._must_write("replace", key, lambda: self._bucket.put(key, body))

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._must_write("delete", key, lambda: self._bucket.delete(key))

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        """Read an object."""
        return self._ask("read", key, lambda: self._bucket.objects.get(key))

    def read_many(self, keys: Sequence[str], *, bytes_max: int) -> list[bytes | None]:
        """Read one after the other; each answer is of another moment."""
        return [self.read(key, bytes_max=bytes_max) for key in keys]

    def size_bytes(self, key: str) -> int | None:
        """Ask for the size of an object."""
        found = self._ask("size", key, lambda: self._bucket.objects.get(key))
        return None if found is None else len(found)

    def stream(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object whole."""
        found = self._ask("stream", key, lambda: self._bucket.objects.get(key))
        if found is None:
            raise NotFound(key, reason="BLOB_NOT_FOUND")
        yield found[start : None if length is None else start + length]

    def local_path(self, key: str) -> Path | None:
        """Nothing is a file here."""
        return None

    def sweep(self) -> int:
        """Nothing is ever left unfinished here."""
        return 0

    def top_level(self) -> frozenset[str]:
        """List the first segments."""
        names = self._ask("top", "", lambda: {key.split("/")[0] for key in self._bucket.objects})
        return frozenset(names)

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """List page by page; what changes between two pages shows in the second."""
        page = self._ask("list", prefix, partial(self._page, prefix, after=""))
        while page:
            yield from page
            page = self._ask("list", prefix, partial(self._page, prefix, after=page[-1].key))

    def _page(self, prefix: str, *, after: str) -> list[StoredObject]:
        bucket = self._bucket
        keys = sorted(k for k in bucket.objects if k.startswith(prefix) and k > after)
        return [
            StoredObject(
                key=key,
                size_bytes=len(bucket.objects[key]),
                age_seconds=self._scheduler.now - bucket.written[key],
            )
            for key in keys[:PAGE_OBJECTS]
        ]

    def _must_write(self, what: str, key: str, apply: Callable[[], object]) -> None:
        fate, _ = self._write(what, key, apply)
        if fate not in (Fate.DONE, Fate.TWICE, Fate.REPEATED):
            raise _silent(key)

    def _write(
        self, what: str, key: str, apply: Callable[[], Answer]
    ) -> tuple[Fate, Answer | None]:
        def applied_late() -> None:
            self._trace(self._owner, what, key, "applied late")
            apply()

        self._live_on(what, key, on_the_wire=applied_late)
        fate = self._rates.fate(self._rng)
        self._trace(self._owner, what, key, fate.value)
        self._wait()
        answer: Answer | None = None
        if fate in (Fate.DONE, Fate.LOST_ANSWER, Fate.TWICE, Fate.REPEATED):
            answer = apply()
            self._trace(self._owner, what, key, "applied", answer)
        if fate in (Fate.LATE, Fate.TWICE):
            self._scheduler.after(self._rates.lateness(self._rng), applied_late)
        self._wait()
        return fate, None if fate is Fate.LOST_ANSWER else answer

    def _ask(self, what: str, key: str, look: Callable[[], Answer]) -> Answer:
        self._live_on(what, key, on_the_wire=None)
        is_silent = self._rng.random() < self._rates.silence
        self._wait()
        answer = look()
        is_there = answer is not None
        self._trace(self._owner, what, key, "silence" if is_silent else is_there)
        self._wait()
        if is_silent:
            raise _silent(key)
        return answer

    def _live_on(self, what: str, key: str, *, on_the_wire: Callable[[], None] | None) -> None:
        if self._is_dead:
            raise Crashed
        if self._rng.random() >= self._rates.crash:
            return
        self._is_dead = True
        self._trace(self._owner, what, key, "crash")
        if on_the_wire and self._rng.random() < 0.6:
            draw = self._rng.choice((self._rates.half_trip, self._rates.lateness))
            self._scheduler.after(draw(self._rng), on_the_wire)
        raise Crashed

    def _wait(self) -> None:
        self._scheduler.sleep(self._rates.half_trip(self._rng))


def _silent(key: str) -> StoreUnavailable:
    return StoreUnavailable(f"no answer about {key}", reason="STORE_UNAVAILABLE")
