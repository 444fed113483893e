# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry import Record, State, sha256_bytes
from tabard_registry.acts.garbage import (
    DIGESTS_PER_COLLECTION_MAX,
    begin_collection,
    end_collection,
)
from tabard_registry.refs.digest import Digest

LEFT, NEEDED = sha256_bytes(b"left"), sha256_bytes(b"needed")
STATE = State(registry_id="r", seq=3, head=sha256_bytes(b"head"), gc_open=frozenset({2}))


def is_needed(_state: State, digest: Digest) -> bool:
    """Whether a blob is the needed one."""
    return digest == NEEDED


def test_only_needless_blobs_are_condemned() -> None:
    """Each once; what a release needs is left out."""
    plan = begin_collection([LEFT, NEEDED, LEFT], is_needed=is_needed).plan(STATE)

    assert plan.action is not None
    assert (plan.action.type, plan.action.summary) == ("gc_intent", {"digests": [LEFT.hex]})


def test_nothing_needless_writes_nothing() -> None:
    """A collection of needed blobs leaves no record."""
    assert begin_collection([NEEDED], is_needed=is_needed).plan(STATE).action is None


def test_largest_collection_fits_a_record() -> None:
    """A record takes as many digests as one collection may condemn."""
    digests = [sha256_bytes(b"%d" % number) for number in range(DIGESTS_PER_COLLECTION_MAX)]

    plan = begin_collection(digests, is_needed=is_needed).plan(STATE)

    assert plan.action is not None
    record = Record(seq=4, prev=STATE.head, id="a", time="", actions=(plan.action,))
    assert Record.from_bytes(record.to_bytes(), key="log/4") == record


@pytest.mark.parametrize(("seq", "ends"), [(2, True), (1, False)])
def test_only_open_collection_ends(seq: int, ends: bool) -> None:
    """Who says it again, or of a collection that never was, writes nothing."""
    action = end_collection(seq).plan(STATE).action

    assert (action is not None) == ends
    assert action is None or (action.type, action.summary) == ("gc_done", {"intent": seq})
