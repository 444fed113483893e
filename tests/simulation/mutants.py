# SPDX-License-Identifier: Apache-2.0
"""Mistakes that others made, and that the simulation must see."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tabard_registry import acts
from tabard_registry.acts import Act, Plan, channels
from tabard_registry.content.blobs import Blobs, blob_key
from tabard_registry.journal import group_commit as group
from tabard_registry.journal.journal import Journal
from tabard_registry.log.records import Action, Record
from tabard_registry.log.slots import Log, StoredRecord, slot_key
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.release.manifest import Manifest
from tabard_registry.release.words import Words
from tabard_registry.state.fold import fold
from tabard_registry.state.state import State
from tabard_registry.store.store import Outcome
from tabard_registry.upkeep import garbage as collection
from tabard_registry.upkeep.inventory import StoredBlob
from tests.mutants import Mutant
from tests.simulation import wishes


def _occupied_is_lost(log: Log, record: Record) -> StoredRecord:
    outcome = log._store.create(slot_key(record.seq), body=record.to_bytes())
    found = log._read(record.seq, prev=record.prev)
    if outcome is Outcome.OCCUPIED and found is not None:
        # Whoever is in the slot, it is taken for another writer.
        return replace(found, record=replace(found.record, id="another"))
    return _CLAIM(log, record)


def _unknown_is_lost(log: Log, record: Record) -> StoredRecord:
    outcome = log._store.create(slot_key(record.seq), body=record.to_bytes())
    if outcome is Outcome.UNKNOWN and log._read(record.seq, prev=record.prev) is None:
        return log.claim(replace(record, seq=record.seq + 1))
    return _CLAIM(log, record)


def _silence_is_no(log: Log, record: Record) -> StoredRecord:
    outcome = log._store.create(slot_key(record.seq), body=record.to_bytes())
    if outcome is Outcome.CREATED:
        return StoredRecord(record=record, digest=sha256_bytes(record.to_bytes()))
    # When this is not answered, the caller is told that the store is out of order.
    return log._read(record.seq, prev=record.prev) or _CLAIM(log, record)


def _unknown_is_done(log: Log, record: Record) -> StoredRecord:
    outcome = log._store.create(slot_key(record.seq), body=record.to_bytes())
    if outcome is Outcome.OCCUPIED:
        return _CLAIM(log, record)
    return StoredRecord(record=record, digest=sha256_bytes(record.to_bytes()))


def _condemn_unannounced(
    collector: Any, blobs: Sequence[StoredBlob]
) -> tuple[int, list[StoredBlob]]:
    return sys.maxsize, list(blobs)


def _publish_assumed(manifest: Manifest, *, said: Words | None = None, gc_seq: int = 0) -> Act:
    def plan(state: State) -> Plan:
        return _PUBLISH(manifest, gc_seq=state.gc_seq).plan(state)

    return replace(_PUBLISH(manifest, gc_seq=gc_seq), plan=plan)


def _key_for_ever(blobs: Blobs, digest: Digest) -> str:
    return blob_key(digest)


def _planned_where_it_is(state: State, action: Action) -> State:
    record = Record(seq=state.seq, prev=state.head, id="planned", time="", actions=(action,))
    return fold(state, [(record, state.head)])[0]


_CLAIM = Log.claim
_PUBLISH = acts.publish

MUTANTS: Mapping[str, Mutant] = {
    "occupied-is-lost": Mutant(
        says="412 means that another writer has the slot: take the next one",
        damage="is there 2 times",
        patches=((Log, "claim", _occupied_is_lost),),
    ),
    "unknown-is-lost": Mutant(
        says="a time-out, and the slot looks empty: take the next one",
        damage="holes",
        patches=((Log, "claim", _unknown_is_lost),),
    ),
    "unknown-is-done": Mutant(
        says="a request that was sent has arrived",
        damage="is not done there",
        patches=((Log, "claim", _unknown_is_done),),
    ),
    "silence-is-no": Mutant(
        says="a store that does not answer has written nothing",
        damage="its caller was told that it is not",
        patches=((Log, "claim", _silence_is_no),),
    ),
    "request-ids-forgotten": Mutant(
        says="a caller who asks again wants it again",
        damage="acted in record",
        patches=((Journal, "_is_replayed", lambda journal, waiting: False),),
    ),
    "expectations-ignored": Mutant(
        says="what the caller saw is what there is",
        damage="expected acme/",
        patches=((channels, "_check_expect", lambda pointer, *, key, expect: {}),),
    ),
    "collection-unannounced": Mutant(
        says="what no release needs now, no release will need in a moment",
        damage="no blob sha256:",
        patches=((collection._Collector, "_condemn", _condemn_unannounced),),
    ),
    "bytes-assumed": Mutant(
        says="bytes that were there before a collection are there after it",
        damage="no blob sha256:",
        patches=((acts, "publish", _publish_assumed),),
    ),
    "group-stands-still": Mutant(
        says="acts of one record may be planned at the position of the record before it",
        damage="no blob sha256:",
        patches=((group, "_with", _planned_where_it_is),),
    ),
    "one-key-for-ever": Mutant(
        says="bytes that come back can lie where the condemned ones lay",
        damage="no blob sha256:",
        patches=(
            (Blobs, "_key", _key_for_ever),
            (collection, "generation_of", lambda state, digest: 0),
            (wishes, "generation_of", lambda state, digest: 0),
        ),
    ),
}
"""The mutants by name."""
