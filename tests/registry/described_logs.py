# SPDX-License-Identifier: Apache-2.0
"""Logs whose releases have something to say, a journal in memory, and answers by a plain scan.

For the tests of what is derived from the state: the index and the checkpoints.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from tabard_registry import AdapterName, Manifest, Member, State, Version
from tabard_registry.index.queries import history_of, time_text
from tabard_registry.log.records import AppliedRecord
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.keys import Key
from tabard_registry.release.release import Adapter, summarise
from tabard_registry.state.fold import fold
from tests.registry.random_logs import (
    DIGESTS,
    EMPTY,
    LINES,
    MANIFESTS,
    publication,
    requested_actions,
    written,
)

VOCABULARY = ("watercolor", "water", "ink", "Inkblot", "sd1", "a-b", "snow_white")


def noted_publication(place: tuple[AdapterName, str], extra: dict[str, Any]) -> dict[str, Any]:
    """A publication with notes and the like."""
    found = publication(place)
    return {**found, "summary": {**found["summary"], **extra}}


_sentences = st.lists(st.sampled_from(VOCABULARY), max_size=4).map(" ".join)
_texts = _sentences | st.text(max_size=12)
KEY = Key(namespace="acme", public_key=base64.b64encode(bytes(32)).decode(), name="ann's")
_extras = st.fixed_dictionaries(
    {"notes": _sentences},
    optional={
        "purpose": st.sampled_from(["style", "subject"]),
        "trigger_words": st.lists(_sentences, max_size=3),
        "title": _sentences,
    },
)
_odd_extras = st.fixed_dictionaries(
    {},
    optional={
        "notes": _texts,
        "trigger_words": st.lists(_texts, max_size=2),
        "tokens": st.lists(st.tuples(_texts, _texts, st.integers(1, 4)), max_size=2),
        "training": st.dictionaries(_texts, _texts, max_size=3),
        "parent": st.sampled_from([None, *sorted(DIGESTS.values()), "sha256:" + "a" * 64]),
        "rank": st.integers(-1, 1 << 70),
        "licence": _texts,
        "title": _texts,
        "dialect": _texts,
    },
)
_MIX = Manifest(
    adapter=AdapterName("acme", "mix"),
    version=Version.parse("1.0.0"),
    kind="recipe",
    base_family="sd1",
    base_fingerprint=MANIFESTS[LINES[0], "1.0.0"].base_fingerprint,
    original=(),
    canonical=None,
    members=(
        Member(
            adapter=LINES[0],
            version=Version.parse("1.0.0"),
            digest=MANIFESTS[LINES[0], "1.0.0"].digest,
            weight=0.5,
        ),
    ),
)
RECIPE = {
    "type": "publish",
    "adapter": str(_MIX.adapter),
    "version": str(_MIX.version),
    "digest": str(_MIX.digest),
    "summary": summarise(_MIX),
}
KEYS = {"type": "key", "adapter": "acme", "summary": KEY.to_json()}
places = st.sampled_from(sorted(MANIFESTS))


def signature(place: tuple[AdapterName, str]) -> dict[str, Any]:
    """A signature of a version."""
    named = {"adapter": str(place[0]), "version": place[1], "digest": DIGESTS[place]}
    return {"type": "sign", **named, "summary": {"key": KEY.id, "signature": "c2ln"}}


described_actions = st.one_of(
    st.builds(noted_publication, places, _extras),
    st.builds(noted_publication, places, _extras),
    requested_actions,
)
odd_described_actions = st.one_of(
    described_actions,
    st.builds(noted_publication, places, _odd_extras),
    places.map(signature),
    st.just(RECIPE),
    st.just(KEYS),
)


def logs(actions: st.SearchStrategy[Any]) -> st.SearchStrategy[list[list[Any]]]:
    """Logs: what each record does."""
    return st.lists(st.lists(actions, max_size=4), max_size=14)


class FakeJournal:
    """Implements what the index needs of a journal, at any position of a log."""

    def __init__(self, log: Sequence[Sequence[Any]], *, seq: int | None = None) -> None:
        self._records = written(log)
        self.caught_up = 0
        self.move_to(len(log) if seq is None else seq)

    def move_to(self, seq: int) -> None:
        """Show the log up to a position."""
        self.state, self._applied = fold(EMPTY, self._records[:seq])

    def applied(self, *, after: int = 0, limit: int | None = None) -> tuple[AppliedRecord, ...]:
        """Return records."""
        until = None if limit is None else after + limit
        return self._applied[after:until]

    def catch_up(self) -> None:
        """Show the whole log."""
        self.caught_up += 1
        self.move_to(len(self._records))


def found_by_scan(state: State, words: str) -> set[AdapterName]:
    """Search by looking at everything."""
    wanted = words.lower().split()
    return {name for name in state.names() if wanted and _says(state.adapters[name], wanted)}


def history_by_scan(
    state: State,
    *,
    channel: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[HistoryEntry]:
    """History by looking at everything."""
    earliest, latest = time_text(since) if since else "", time_text(until) if until else "~"
    entries = [
        *(entry for name in state.names() for entry in history_of(state.adapters[name])),
        *state.strays,
    ]
    found = [
        entry
        for entry in sorted(entries, key=log_order)
        if channel in (None, entry.channel) and earliest <= entry.time <= latest
    ]
    return found if limit is None else found[max(0, len(found) - limit) :]


def log_order(entry: HistoryEntry) -> tuple[Any, ...]:
    """The order of entries: the log's, then by name, publications first."""
    is_publication = entry.type == "publish" and entry.effective
    within = Version.parse(entry.version) if is_publication else entry.position
    return (entry.seq, entry.adapter, not is_publication, within)


def _says(line: Adapter, words: list[str]) -> bool:
    """Whether one release says all the words; those that say the same are one."""
    said: dict[tuple[str, ...], list[str]] = {}
    for one in line.by_version.values():
        facts = (one.base_family, one.kind, one.purpose, one.notes, one.title)
        texts = () if one.purged else (*facts, *one.trigger_words)
        said.setdefault(texts, []).append(str(one.version))
    return any(
        all(
            any(token.startswith(word) for token in _tokens(str(line.name), *texts))
            for word in words
        )
        for texts in ((*texts, *versions) for texts, versions in said.items())
    )


def _tokens(*texts: str) -> set[str]:
    return {token for text in texts for token in re.findall(r"[^\W_]+", text.lower())}
