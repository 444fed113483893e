# SPDX-License-Identifier: Apache-2.0
"""Walks a log from its first slot for those who examine or copy it, and goes on where it is broken.

In: a store and where the hash chain begins. Out: every slot up to the first empty one, as bytes,
with what is wrong with it. Who only wants the records reads `log.slots`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabard_registry.errors import CorruptRegistry, RegistryError, UnusableRegistry, restore_object
from tabard_registry.log.records import RECORD_BYTES_MAX, Record
from tabard_registry.log.slots import slot_key
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.store.store import Store

_READ_AHEAD = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One slot that is taken.

    Attributes:
        seq: Its position.
        content: Its bytes; empty when they are too many.
        digest: Their sha256.
        record: The record, if it can be read.
        problem: What is wrong with it: it cannot be read, or does not follow the one before.
    """

    seq: int
    content: bytes
    digest: Digest
    record: Record | None
    problem: RegistryError | None = None

    @property
    def key(self) -> str:
        """The object's key."""
        return slot_key(self.seq)


def links(store: Store, *, genesis: Digest, until: int | None = None) -> Iterator[Link]:
    """Yield the slots from the first to the last one, or to `until`.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    seq = 0
    # None after bytes that could not be read: what follows them cannot be compared.
    prev: Digest | None = genesis
    while until is None or seq < until:
        last = seq + _READ_AHEAD if until is None else min(seq + _READ_AHEAD, until)
        for content in _read_slots(store, range(seq + 1, last + 1)):
            if content is None:
                return
            link = _link(content, seq=seq + 1, prev=prev)
            yield link
            seq, prev = link.seq, None if isinstance(content, RegistryError) else link.digest


def _read_slots(store: Store, seqs: Sequence[int]) -> list[bytes | CorruptRegistry | None]:
    try:
        return list(store.read_many(list(map(slot_key, seqs)), bytes_max=RECORD_BYTES_MAX))
    except CorruptRegistry:
        return [_read_slot(store, seq) for seq in seqs]


def _read_slot(store: Store, seq: int) -> bytes | CorruptRegistry | None:
    try:
        return store.read(slot_key(seq), bytes_max=RECORD_BYTES_MAX)
    except CorruptRegistry as error:
        return error


def _link(content: bytes | CorruptRegistry, *, seq: int, prev: Digest | None) -> Link:
    if isinstance(content, CorruptRegistry):
        return Link(seq=seq, content=b"", digest=sha256_bytes(b""), record=None, problem=content)
    record: Record | None = None
    problem: RegistryError | None = None
    try:
        record = Record.from_bytes(content, key=slot_key(seq))
        problem = _misplaced(record, seq=seq, prev=prev)
    except (CorruptRegistry, UnusableRegistry) as error:
        problem = error
    return Link(
        seq=seq, content=content, digest=sha256_bytes(content), record=record, problem=problem
    )


def _misplaced(record: Record, *, seq: int, prev: Digest | None) -> CorruptRegistry | None:
    key = slot_key(seq)
    if record.seq != seq:
        return CorruptRegistry(
            f"{key} says that it is record {record.seq}",
            reason="CORRUPT_RECORD",
            hint=restore_object(key),
        )
    if prev is not None and record.prev != prev:
        before = slot_key(seq - 1) if seq > 1 else "format.json"
        return CorruptRegistry(
            f"{key} does not follow {before}: it names {record.prev.short}, "
            f"the bytes before it have {prev.short}",
            reason="BROKEN_CHAIN",
            hint=restore_object(f"{before} and {key}"),
        )
    return None
