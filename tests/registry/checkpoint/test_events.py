# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import Proof, sha256_bytes
from tabard_registry.checkpoint.events import (
    entry_from_json,
    entry_to_json,
    events_from_json,
    events_to_json,
)
from tabard_registry.release.history import HistoryEntry

NAME = "acme/ink"
VERSIONS = ["1.0.0", "1.1.0"]
DIGESTS = [str(sha256_bytes(version.encode())) for version in VERSIONS]
PLAIN = HistoryEntry(
    seq=3,
    time="t",
    actor="ann",
    reason="why",
    type="promote",
    adapter=NAME,
    version=VERSIONS[1],
    digest=DIGESTS[1],
    channel="stable",
    previous_digest=DIGESTS[0],
    position=1,
)
short = st.sampled_from(["", "a", "b"])
entries = st.builds(
    HistoryEntry,
    seq=st.integers(1, 9),
    time=short,
    actor=short,
    reason=short,
    type=st.sampled_from(["promote", "yank"]),
    adapter=st.sampled_from([NAME, "acme/oil", ""]),
    version=st.sampled_from([*VERSIONS, ""]),
    digest=st.sampled_from([*DIGESTS, "", "sha256:odd"]),
    channel=short,
    previous_digest=st.sampled_from([*DIGESTS, "", "sha256:odd"]),
    effective=st.booleans(),
    note=short,
    position=st.integers(0, 2),
    proof=st.sampled_from(Proof),
    on_behalf_of=short,
)


@given(st.lists(entries, max_size=6))
def test_events_survive_their_json(events: list[HistoryEntry]) -> None:
    """Moves of known releases, and whatever else was tried."""
    written = events_to_json(events, name=NAME, versions=VERSIONS, digests=DIGESTS)
    read = json.loads(json.dumps(written))

    found = events_from_json(read, name=NAME, versions=VERSIONS, digests=DIGESTS)

    assert found == tuple(events)


def test_plain_moves_repeat_no_text() -> None:
    """A second move costs numbers only: the texts stand once."""
    [[_, again], texts] = events_to_json(
        [PLAIN, PLAIN], name=NAME, versions=VERSIONS, digests=DIGESTS
    )

    assert texts == ["promote", "ann", "why", "stable", ""]
    assert again == [3, "t", 0, 1, 2, 3, 4, 4, 1, 0, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"note": "odd"},
        {"effective": False},
        {"adapter": "acme/oil"},
        {"version": VERSIONS[0]},
        {"previous_digest": "sha256:odd"},
    ],
)
def test_odd_events_keep_every_field(change: dict[str, Any]) -> None:
    """What a short row cannot say is an object."""
    odd = replace(PLAIN, **change)

    written = events_to_json([odd], name=NAME, versions=VERSIONS, digests=DIGESTS)

    assert isinstance(written[0][0], dict)
    assert events_from_json(written, name=NAME, versions=VERSIONS, digests=DIGESTS) == (odd,)


@given(entries)
def test_entry_alone_survives_its_json(entry: HistoryEntry) -> None:
    """Empty fields are left out and come back empty."""
    written = entry_to_json(entry)

    assert "" not in written.values()
    assert entry_from_json(json.loads(json.dumps(written))) == entry
