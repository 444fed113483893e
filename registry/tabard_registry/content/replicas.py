# SPDX-License-Identifier: Apache-2.0
"""The servers of one registry, as each tells of itself: one small object each, written over.

It lies beside the log, in no backup, and is advice: a server that is gone leaves what it said last,
until others remove it. How long ago that was, the store's clock says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from tabard_registry.errors import CorruptRegistry, StoreUnavailable
from tabard_registry.place import REPLICA_FOLDER
from tabard_registry.release.manifest import canonical_json
from tabard_registry.store.store import BRING_BACK, FORMAT_KEY, Store, StoredObject
from tabard_registry.workers import WORKERS_MAX, each

REPLICAS_MAX = 256
"""Most servers that are listed, those that were heard of last; older ones are removed."""
FORGOTTEN_SECONDS = 86_400.0
"""How long a server that is gone is told of."""
TEXT_CHARS_MAX = 256
"""Longest text that a server says of itself; what is longer is cut."""

_BEATS_MISSED_MAX = 3
_PATIENCE_SECONDS = 5.0
"""What a slow store may take."""
_BYTES_MAX = 8_192
_INTEGER_MAX = 2**53
_KEY = re.compile(rf"{REPLICA_FOLDER}/([0-9a-f]{{32}})\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """What a server says of itself.

    Attributes:
        id: 32 hexadecimal digits, kept with its jobs.
        address: Where it says that others reach it; empty: it does not say.
        host: The name of its machine.
        version: Of Tabard.
        record_version: The highest version of a record that it reads.
        base_family: The family of its base.
        base_fingerprint: All components of its base.
        device: What it draws on.
        state: What it does for callers.
        started_at: When it began, by its own clock.
        told_at: When it said this, by its own clock.
        every_seconds: How often it says so.
        seq: Log position that it had seen.
        lag_seconds: Since the store had last answered it.
        rows_waiting: Images that waited.
        rows_running: Images that were drawn.
    """

    id: str
    address: str = ""
    host: str = ""
    version: str = ""
    record_version: int = 0
    base_family: str = ""
    base_fingerprint: str = ""
    device: str = ""
    state: str = ""
    started_at: str = ""
    told_at: str = ""
    every_seconds: float = 0.0
    seq: int = 0
    lag_seconds: float = 0.0
    rows_waiting: int = 0
    rows_running: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenReplica:
    """A server, and how long ago it was heard of, by the store's clock."""

    replica: Replica
    age_seconds: float

    @property
    def is_lost(self) -> bool:
        """Whether it should have been heard of since."""
        late = _BEATS_MISSED_MAX * self.replica.every_seconds + _PATIENCE_SECONDS
        return self.age_seconds > late


class ReplicaBook:
    """The servers of one registry. Thread-safe."""

    def __init__(self, store: Store) -> None:
        """Take where the objects of the registry are."""
        self._store = store

    def tell(self, replica: Replica) -> None:
        """Write what a server says of itself over what it said before.

        Raises:
            StoreUnavailable: It may not be written, or no registry is there any more.
        """
        if self._store.size_bytes(FORMAT_KEY) is None:
            # Where the folder of a registry was moved away, nothing new is begun.
            raise StoreUnavailable(
                f"{self._store.url} holds no registry any more",
                reason="REGISTRY_MISSING",
                hint=BRING_BACK,
            )
        self._store.replace(_key_of(replica.id), body=canonical_json({"v": 1, **asdict(replica)}))

    def forget(self, replica_id: str) -> None:
        """Remove what a server said; it ends. Idempotent."""
        self._store.delete(_key_of(replica_id))

    def seen(self) -> tuple[SeenReplica, ...]:
        """Return the servers that were heard of last, the latest first; what is damaged is none.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        listed = self._listed()[:REPLICAS_MAX]
        read = each(lambda one: (one, self._read(one.key)), listed, workers=WORKERS_MAX)
        found = [
            SeenReplica(replica=replica, age_seconds=one.age_seconds)
            for one, replica in read
            if replica is not None
        ]
        return tuple(sorted(found, key=lambda one: (one.age_seconds, one.replica.id)))

    def sweep(self) -> int:
        """Remove servers that are gone for long, and what is more than are listed; return how many.

        Raises:
            StoreUnavailable: Some may be left; trying again is safe.
        """
        listed = self._listed()
        kept = [one for one in listed[:REPLICAS_MAX] if one.age_seconds < FORGOTTEN_SECONDS]
        for one in listed[len(kept) :]:
            self._store.delete(one.key)
        return len(listed) - len(kept)

    def _listed(self) -> list[StoredObject]:
        found = self._store.objects(f"{REPLICA_FOLDER}/")
        ours = (one for one in found if _KEY.fullmatch(one.key) and one.size_bytes <= _BYTES_MAX)
        return sorted(ours, key=lambda one: (one.age_seconds, one.key))

    def _read(self, key: str) -> Replica | None:
        named = _KEY.fullmatch(key)
        assert named is not None, "only such keys are listed"
        try:
            # One that ended meanwhile is gone.
            content = self._store.read(key, bytes_max=_BYTES_MAX)
            said = json.loads(content or b"")
        except (CorruptRegistry, ValueError, RecursionError):
            return None
        return _replica(said, replica_id=named[1]) if isinstance(said, dict) else None


def _key_of(replica_id: str) -> str:
    return f"{REPLICA_FOLDER}/{replica_id}.json"


def _replica(said: Mapping[str, Any], *, replica_id: str) -> Replica:
    """Read what a server of any version wrote: what is unknown or of another kind is left out."""
    known: dict[str, Any] = {}
    for one in fields(Replica):
        value: Any = said.get(one.name)
        if one.type == "str" and isinstance(value, str):
            known[one.name] = value.encode("utf-8", "replace").decode()[:TEXT_CHARS_MAX]
        elif one.type == "int" and type(value) is int and 0 <= value <= _INTEGER_MAX:
            known[one.name] = value
        elif one.type == "float" and type(value) in (int, float) and 0 <= value <= _INTEGER_MAX:
            known[one.name] = float(value)
    return Replica(**{**known, "id": replica_id})
