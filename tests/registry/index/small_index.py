# SPDX-License-Identifier: Apache-2.0
"""A small log, an index of it, and short questions to the index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tabard_registry.index import Index
from tests.registry.described_logs import FakeJournal, history_by_scan, noted_publication
from tests.registry.random_logs import EMPTY, LINES, act

INK, OIL = LINES
LOG = [
    [noted_publication((INK, "1.0.0"), {"notes": "for watercolor skies"})],
    [noted_publication((OIL, "1.0.0"), {"notes": "thick paint", "trigger_words": ["inky oil"]})],
    [act("promote", (INK, "1.0.0"), "stable")],
    [noted_publication((INK, "1.1.0"), {"notes": "for snow"})],
    [act("promote", (INK, "1.1.0"), "stable"), act("promote", (OIL, "1.0.0"), "canary")],
]


def index_of(journal: Any, folder: Path | None = None, **settings: Any) -> Index:
    """An index of the journal's state."""
    index = Index(folder, registry_id=EMPTY.registry_id, **settings)
    index.update(journal)
    return index


def names(index: Index, words: str) -> list[str]:
    """Names of the lines that a search finds, best first."""
    return [str(hit.adapter) for hit in index.search(words, limit=50)]


def whole_history(index: Index) -> list[Any]:
    """Everything that happened."""
    return list(index.history(channel=None, since=None, until=None, limit=None))


def assert_fresh(index: Index, journal: FakeJournal) -> None:
    """The index shows what the journal's state holds."""
    for word in ("ink", "water", "thick", "1.1.0"):
        assert set(index.search(word, limit=50)) == set(index_of(journal).search(word, limit=50)), (
            word
        )
    assert whole_history(index) == history_by_scan(journal.state)


INDEX = index_of(FakeJournal(LOG))
