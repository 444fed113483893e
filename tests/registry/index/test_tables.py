# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from tests.registry.described_logs import FakeJournal
from tests.registry.index.small_index import INDEX, INK, LOG, index_of, names
from tests.registry.random_logs import act

PURGE = act("purge", (INK, "1.0.0"), "")


def test_name_ranks_above_notes() -> None:
    """A line that is called so comes before one that only speaks of it."""
    index = index_of(FakeJournal(LOG))

    assert names(index, "ink") == ["acme/ink", "acme/oil"]


def test_purged_notes_leave_the_index(tmp_path: Path) -> None:
    """A purge takes the notes of the release out of search; the line stays to be found by name."""
    journal = FakeJournal([*LOG, [PURGE]], seq=len(LOG))
    index = index_of(journal, tmp_path)
    assert names(index, "watercolor") == ["acme/ink"]

    journal.catch_up()
    index.update(journal)

    assert names(index, "watercolor") == []
    assert set(names(index, "acme 1.0.0")) == {"acme/ink", "acme/oil"}


def test_no_limit_is_too_large() -> None:
    """Limits beyond those of the index, and none at all."""
    assert len(INDEX.search("acme", limit=1 << 80)) == 2
    assert INDEX.search("acme", limit=0) == ()
