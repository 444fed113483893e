# SPDX-License-Identifier: Apache-2.0
"""Stores with something wrong, one ailment each, for the doctor to find."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from tabard_registry.errors import StoreUnavailable
from tabard_registry.store.probe import ExpiryRule, Versioning
from tabard_registry.store.store import Outcome, StoredObject
from tabard_registry.upkeep.doctor.race import CONTESTANTS
from tests.registry.fakes import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def forbidden(key: str) -> StoreUnavailable:
    """What a store says to a role that may not."""
    return StoreUnavailable(f"{key}: 403", reason="STORE_UNAVAILABLE", hint="Grant it.")


class TwoWinners(MemoryStore):
    """Refuses a second create, but looks first and writes later: a race has several winners."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = threading.Barrier(CONTESTANTS)

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create; all contestants of a race have looked before the first one writes."""
        is_taken = key in self.held
        if "race" in key:
            self._gate.wait(30)
        if is_taken:
            return Outcome.OCCUPIED
        self._keep(key, body)
        return Outcome.CREATED


class LosingWinner(MemoryStore):
    """Tells one that it won, and keeps what another one wrote."""

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create; a loser of a race overwrites the object all the same."""
        outcome = super().create(key, body=body)
        if "race" in key and outcome is Outcome.OCCUPIED:
            self._keep(key, body)
        return outcome


class Unconditional(MemoryStore):
    """Ignores the condition of a create."""

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Write over whatever was there."""
        self._keep(key, body)
        return Outcome.CREATED


class Undecided(MemoryStore):
    """Never tells what came of a create that somebody else made, too."""

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create, and leave the outcome of races open."""
        outcome = super().create(key, body=body)
        return Outcome.UNKNOWN if "race" in key else outcome


class Fickle(MemoryStore):
    """Answers a create with 409 once, and the losers of every race always."""

    def __init__(self) -> None:
        super().__init__()
        self.conflicts = 1

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create, with conflicts."""
        if self.conflicts:
            self.conflicts -= 1
            return Outcome.UNKNOWN
        outcome = super().create(key, body=body)
        return Outcome.UNKNOWN if outcome is Outcome.OCCUPIED else outcome


class Forbidding(MemoryStore):
    """Does not let its reader know that an object is missing, or its writer write or delete."""

    def __init__(self, *acts: str) -> None:
        super().__init__()
        self._acts = acts

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        """Read what is there."""
        if "read missing" in self._acts and key not in self.held:
            raise forbidden(key)
        return super().read(key, bytes_max=bytes_max)

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create, perhaps."""
        if "create" in self._acts:
            raise forbidden(key)
        return super().create(key, body=body)

    def delete(self, key: str) -> None:
        """Delete, perhaps."""
        if "delete" in self._acts:
            raise forbidden(key)
        super().delete(key)

    def sweep(self) -> int:
        """Nothing is ever left unfinished here."""
        return 0

    def top_level(self) -> frozenset[str]:
        """List, perhaps."""
        if "list" in self._acts:
            raise forbidden("the bucket")
        return super().top_level()


class Lagging(MemoryStore):
    """Its listing does not know yet what was written."""

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """List nothing."""
        return iter(())


class Bucket(MemoryStore):
    """A store that answers a probe; a test sets what."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = NOW
        self.versions = Versioning.OFF
        self.rules: tuple[ExpiryRule, ...] = ()
        self.takes = {'"{}"', "{}"}
        self.is_silent = False

    def probe(self) -> BucketProbe:
        """What the bucket was set to."""
        return BucketProbe(self)


class BucketProbe:
    """Answers for a `Bucket`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def now(self) -> datetime:
        """The hand-set clock."""
        if self._bucket.is_silent:
            raise forbidden("clock")
        return self._bucket.clock

    def etag(self, key: str) -> str:
        """A tag of the bytes."""
        return self._bucket.held[key].hex()

    def replaces_if_match(self, key: str, *, body: bytes, etag: str) -> bool:
        """Replace, when one of the accepted forms matches."""
        takes = self._bucket.takes
        if "any" not in takes and etag not in {form.format(self.etag(key)) for form in takes}:
            return False
        self._bucket.replace(key, body=body)
        return True

    def versioning(self) -> Versioning:
        """The hand-set state."""
        return self._bucket.versions

    def expiry_rules(self) -> tuple[ExpiryRule, ...]:
        """The hand-set rules."""
        return self._bucket.rules
