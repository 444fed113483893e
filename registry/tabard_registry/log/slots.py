# SPDX-License-Identifier: Apache-2.0
"""The log: numbered slots, each created once. Reads forward along the hash chain, and claims slots.

The create of slot N is the commit. Whatever a create answers but "created", the slot is read before
anything else is done: a writer never leaves slot N until it holds some record.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tabard_registry.errors import CorruptRegistry, StoreUnavailable, restore_object
from tabard_registry.log.records import RECORD_BYTES_MAX, Record, corrupt_record
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.store.store import BRING_BACK, FORMAT_KEY, Outcome, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """How patient a writer is, and how far ahead a reader looks.

    Attributes:
        slot_attempts_max: Tries at one slot whose outcome stays unknown.
        act_attempts_max: Slots lost to other writers before an act gives up.
        pause_seconds: First pause between tries; doubles, with jitter.
        pause_seconds_max: Longest pause.
        read_ahead_max: Slots that a reader asks for at once when it is far behind.
    """

    slot_attempts_max: int = 12
    act_attempts_max: int = 500
    pause_seconds: float = 0.01
    pause_seconds_max: float = 1.0
    read_ahead_max: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record that a slot holds.

    Attributes:
        record: The record.
        digest: sha256 of its bytes; the next record's `prev`.
    """

    record: Record
    digest: Digest


class Log:
    """Reads and claims slots. Holds no position: the caller does. Not thread-safe by itself."""

    def __init__(
        self,
        store: Store,
        *,
        limits: LogLimits,
        sleep: Callable[[float], None],
        rng: random.Random,
    ) -> None:
        self._store = store
        self._limits = limits
        self._sleep = sleep
        self._rng = rng

    def after(self, seq: int, *, head: Digest) -> Iterator[StoredRecord]:
        """Yield the records after slot `seq`, whose bytes have the digest `head`.

        Raises:
            CorruptRegistry: A slot is not a record, the chain is broken, or slot `seq` was lost.
            UnusableRegistry: A newer Tabard wrote a record.
            StoreUnavailable: The store did not answer, or (reason REGISTRY_MISSING) it no longer
                holds what it held at `seq`.
        """
        ahead = 1
        while True:
            keys = [slot_key(seq + 1 + position) for position in range(ahead)]
            for content in self._store.read_many(keys, bytes_max=RECORD_BYTES_MAX):
                if content is None:
                    self._check_head(seq, head=head)
                    return
                found = _stored_record(content, seq=seq + 1, prev=head)
                yield found
                seq, head = found.record.seq, found.digest
            # A reader that is far behind asks for many slots at once; one at the tip for one.
            ahead = min(2 * ahead, self._limits.read_ahead_max)

    def at(self, seqs: Sequence[int]) -> Iterator[Record]:
        """Yield the records of slots that are known to be taken; the chain is not followed.

        Raises:
            CorruptRegistry: A slot is empty, or is not a record.
            UnusableRegistry, StoreUnavailable: As for `after`.
        """
        for first in range(0, len(seqs), self._limits.read_ahead_max):
            some = seqs[first : first + self._limits.read_ahead_max]
            keys = [slot_key(seq) for seq in some]
            contents = self._store.read_many(keys, bytes_max=RECORD_BYTES_MAX)
            for seq, key, content in zip(some, keys, contents, strict=True):
                if content is None:
                    raise corrupt_record(key, detail="it is missing")
                yield _record_of(content, seq=seq)

    def claim(self, record: Record) -> StoredRecord:
        """Try to put a record into its slot, and return what the slot then holds.

        The caller compares ids: a record with another id means that the slot was lost.

        Raises:
            StoreUnavailable: Nothing was written, or (reason COMMIT_UNKNOWN) the slot still
                looked empty after the last try and the record may yet appear in it.
        """
        body = record.to_bytes()
        key = slot_key(record.seq)
        may_appear = False
        for attempt in range(self._limits.slot_attempts_max):
            try:
                if self._store.create(key, body=body) is Outcome.CREATED:
                    return StoredRecord(record=record, digest=sha256_bytes(body))
                may_appear = True
                found = self._read(record.seq, prev=record.prev)
            except StoreUnavailable:
                if not may_appear:
                    raise
                found = None
            if found is not None:
                return found
            self.pause(attempt)
        raise StoreUnavailable(
            f"cannot tell whether record {record.id} went into {key} of {self._store.url}",
            reason="COMMIT_UNKNOWN",
            hint="Look into the history, or repeat the call with the same request id.",
        )

    def pause(self, attempt: int) -> None:
        """Wait before another try: exponential, bounded, with full jitter."""
        longest = min(
            self._limits.pause_seconds_max, self._limits.pause_seconds * 2 ** min(attempt, 20)
        )
        self._sleep(self._rng.uniform(0, longest))

    def _check_head(self, seq: int, *, head: Digest) -> None:
        """Tell the end of the log from a log that is gone: an empty mount point holds no slots."""
        key = _head_key(seq)
        content = self._store.read(key, bytes_max=RECORD_BYTES_MAX)
        if content is None and self._store.read(_head_key(0), bytes_max=RECORD_BYTES_MAX):
            raise corrupt_record(key, detail="it is missing")
        if content is None:
            raise StoreUnavailable(
                f"{self._store.url} no longer holds {key}, which was read there before",
                reason="REGISTRY_MISSING",
                hint=BRING_BACK,
            )
        if sha256_bytes(content) != head:
            raise CorruptRegistry(
                f"{key} was changed after it was read, or is another registry's",
                reason="BROKEN_CHAIN",
                hint=restore_object(key),
            )

    def _read(self, seq: int, *, prev: Digest) -> StoredRecord | None:
        content = self._store.read(slot_key(seq), bytes_max=RECORD_BYTES_MAX)
        return None if content is None else _stored_record(content, seq=seq, prev=prev)


def slot_key(seq: int) -> str:
    """Name the object of a slot."""
    return f"log/{seq:020d}.json"


def _head_key(seq: int) -> str:
    return slot_key(seq) if seq else FORMAT_KEY


def _record_of(content: bytes, *, seq: int) -> Record:
    record = Record.from_bytes(content, key=slot_key(seq))
    if record.seq != seq:
        raise corrupt_record(slot_key(seq), detail=f"it says that it is record {record.seq}")
    return record


def _stored_record(content: bytes, *, seq: int, prev: Digest) -> StoredRecord:
    record = _record_of(content, seq=seq)
    if record.prev != prev:
        raise CorruptRegistry(
            f"{slot_key(seq)} does not follow {_head_key(seq - 1)}: "
            f"it names {record.prev.short}, the bytes before it have {prev.short}",
            reason="BROKEN_CHAIN",
            hint=restore_object("both"),
        )
    return StoredRecord(record=record, digest=sha256_bytes(content))
