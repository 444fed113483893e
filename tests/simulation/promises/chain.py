# SPDX-License-Identifier: Apache-2.0
"""The log as it lies in the bucket, walked with nothing but json and hashlib.

A mistake in the log's own reading cannot hide itself here. The fold is the real one: what it makes
of records is judged elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tabard_registry.log.records import AppliedRecord, Record
from tabard_registry.refs.digest import Digest
from tabard_registry.state.fold import empty_state, fold
from tabard_registry.state.state import State
from tabard_registry.store.store import FORMAT_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All records, and what they come to.

    Attributes:
        states: The state after each record; the empty one is at index 0.
        applied: Records with their effects; number 1 is at index 0.
    """

    states: list[State]
    applied: list[AppliedRecord]


def broken_slots(objects: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what is wrong with the slots: holes, links that do not hold, wrong numbers."""
    slots = _slots(objects)
    wanted = [f"log/{seq:020d}.json" for seq in range(1, len(slots) + 1)]
    if slots != wanted:
        yield f"holes: {sorted(set(wanted) ^ set(slots))}"
        return
    before = objects[FORMAT_KEY]
    for seq, key in enumerate(slots, start=1):
        document = json.loads(objects[key])
        if document["prev"] != "sha256:" + hashlib.sha256(before).hexdigest():
            yield f"{key} does not follow what is before it"
        if document["seq"] != seq:
            yield f"{key} says that it is {document['seq']}"
        before = objects[key]


def read_chain(objects: Mapping[str, bytes]) -> Chain:
    """Fold the slots one by one."""
    registry_id = json.loads(objects[FORMAT_KEY])["registry"]
    state = empty_state(registry_id=registry_id, genesis=_digest(objects[FORMAT_KEY]))
    chain = Chain(states=[state], applied=[])
    for key in _slots(objects):
        record = Record.from_bytes(objects[key], key=key)
        state, applied = fold(state, [(record, _digest(objects[key]))])
        chain.states.append(state)
        chain.applied.extend(applied)
    return chain


def _slots(objects: Mapping[str, bytes]) -> list[str]:
    return sorted(key for key in objects if key.startswith("log/"))


def _digest(content: bytes) -> Digest:
    return Digest.parse("sha256:" + hashlib.sha256(content).hexdigest())
