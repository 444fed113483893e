# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import EVERYTHING, AdapterName, Author, Grants, Registry
from tabard_registry.errors import NotFound
from tabard_registry.index.queries import Queries
from tabard_registry.release.history import HistoryEntry
from tests.registry import private_logs
from tests.registry.described_logs import FakeJournal
from tests.registry.fakes import NAME, counted_ids, fixed_clock, promote, publish, ref
from tests.root import ROOT

MOVES_EACH = 15
PROCESSES = 2
START = datetime(2026, 1, 1, tzinfo=UTC)

MOVER = """
import sys
from pathlib import Path
from tabard_registry import AdapterRef, Author, Registry
url, cache, channel, moves = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
registry = Registry.open(url, cache=cache)
for number in range(moves):
    ref = AdapterRef.parse(f"acme/ink@1.{number % 2}.0")
    registry.promote(ref, channel=channel, author=Author(actor=channel, reason=f"move {number}"))
    told = registry.queries.history(channel=channel)
    assert [entry.reason for entry in told] == [f"move {n}" for n in range(number + 1)], told
    [hit] = registry.queries.search("ink")
    registry.queries.search("1.1.0 lora")
registry.close()
"""


def at(second: float) -> datetime:
    """A time of the fixed clock."""
    return START + timedelta(seconds=second)


@pytest.fixture(params=["log", "checkpoint"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    """Second 0: 1.0.0, 1: to stable, 2: 1.1.0, 3: to stable, 4: to canary, 5: stable back."""
    url = str(tmp_path / "registry")
    registry = Registry.open(url, clock=fixed_clock(), new_id=counted_ids())
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")
    publish(registry, "1.1.0", folder=tmp_path)
    promote(registry, "1.1.0")
    promote(registry, "1.1.0", channel="canary")
    registry.roll_back(NAME, channel="stable", author=Author(actor="bob", reason="too loud"))
    if request.param == "log":
        return registry
    registry.checkpoint()
    return Registry.open(url, clock=fixed_clock(), new_id=counted_ids("later"))


def told(entries: tuple[HistoryEntry, ...]) -> list[str]:
    """Entries as short words."""
    return [f"{entry.type} {entry.version} {entry.channel}".strip() for entry in entries]


WHOLE = [
    "publish 1.0.0",
    "promote 1.0.0 stable",
    "publish 1.1.0",
    "promote 1.1.0 stable",
    "promote 1.1.0 canary",
    "rollback 1.0.0 stable",
]


@pytest.mark.parametrize("adapter", [None, NAME])
def test_history_tells_everything_in_order(registry: Registry, adapter: AdapterName | None) -> None:
    """Publications and moves, oldest first, for one adapter and for all."""
    assert told(registry.queries.history(adapter)) == WHOLE


@pytest.mark.parametrize("adapter", [None, NAME])
def test_history_says_who_and_why(registry: Registry, adapter: AdapterName | None) -> None:
    """A rollback with its actor, its reason, and where the channel was."""
    [entry] = registry.queries.history(adapter, limit=1)

    assert (entry.actor, entry.reason, entry.effective) == ("bob", "too loud", True)
    assert entry.previous_digest == str(registry.state.resolve(ref("1.1.0")).digest)
    assert entry.digest == str(registry.state.resolve(ref("1.0.0")).digest)


@pytest.mark.parametrize("adapter", [None, NAME])
def test_history_is_chosen_by_channel(registry: Registry, adapter: AdapterName | None) -> None:
    """Only the moves of that channel; none for a channel that never was."""
    history = registry.queries.history

    assert told(history(adapter, channel="canary")) == ["promote 1.1.0 canary"]
    assert told(history(adapter, channel="stable", limit=2)) == [WHOLE[3], WHOLE[5]]
    assert history(adapter, channel="nightly") == ()


@pytest.mark.parametrize("adapter", [None, NAME])
def test_history_is_chosen_by_time(registry: Registry, adapter: AdapterName | None) -> None:
    """Both ends belong to it, in any time zone."""
    history = registry.queries.history
    zone = at(3).astimezone()

    assert told(history(adapter, since=at(2), until=zone)) == WHOLE[2:4]
    assert told(history(adapter, until=at(0))) == WHOLE[:1]
    assert told(history(adapter, since=at(4), limit=1)) == WHOLE[5:]
    assert history(adapter, since=at(60)) == ()


def test_history_of_nobody_is_empty(registry: Registry) -> None:
    """An adapter that never was has no history, and that is no error."""
    assert registry.queries.history(AdapterName("acme", "oil")) == ()


def test_history_follows_new_acts(registry: Registry) -> None:
    """What happens after the first question is in the next answer."""
    assert registry.queries.history(limit=0) == ()
    registry.yank(ref("1.1.0"), author=Author(actor="cy", reason="licence"))

    assert told(registry.queries.history(limit=1)) == ["yank 1.1.0"]
    assert told(registry.queries.history(NAME, limit=1)) == ["yank 1.1.0"]


@pytest.mark.parametrize("adapter", [None, NAME])
def test_served_at_any_moment(registry: Registry, adapter: AdapterName | None) -> None:
    """What each channel pointed to, through promotions and a rollback."""
    found = {
        second: [
            f"{serving.channel} {serving.release.version} {serving.since.type}"
            for serving in registry.queries.served_at(at(second), adapter=adapter)
        ]
        for second in (0, 1, 2.5, 3, 4, 5, 60)
    }

    after = ["canary 1.1.0 promote", "stable 1.0.0 rollback"]
    assert found == {
        0: [],
        1: ["stable 1.0.0 promote"],
        2.5: ["stable 1.0.0 promote"],
        3: ["stable 1.1.0 promote"],
        4: ["canary 1.1.0 promote", "stable 1.1.0 promote"],
        5: after,
        60: after,
    }


def test_served_at_says_why(registry: Registry) -> None:
    """By adapter and channel, with the act that moved it there."""
    [serving] = registry.queries.served_at(at(9), adapter=NAME, channel="stable")

    assert (serving.adapter, serving.since.actor, serving.since.reason) == (NAME, "bob", "too loud")
    assert registry.queries.served_at(at(9), channel="stable") == (serving,)
    assert registry.queries.served_at(at(9), channel="nightly") == ()


def test_served_at_tells_of_withdrawn_releases(registry: Registry) -> None:
    """What was served stays told, whatever became of it."""
    registry.purge(ref("1.0.0"), author=Author(actor="cy", reason="not ours"))

    [serving] = registry.queries.served_at(at(1))

    assert str(serving.release.version) == "1.0.0" and serving.release.purged


def test_served_at_of_nobody_is_refused(registry: Registry) -> None:
    """Asking for an adapter that never was is a mistake."""
    with pytest.raises(NotFound):
        registry.queries.served_at(at(1), adapter=AdapterName("acme", "oil"))


def test_processes_share_a_cache(tmp_path: Path) -> None:
    """Two processes that move channels and ask at once each see their own acts at once."""
    url, cache = str(tmp_path / "registry"), tmp_path / "cache"
    registry = Registry.open(url)
    for version in ("1.0.0", "1.1.0"):
        publish(registry, version, folder=tmp_path)
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])

    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MOVER, url, str(cache), f"channel-{number}", str(MOVES_EACH)],
            env={**os.environ, "PYTHONPATH": paths},
        )
        for number in range(PROCESSES)
    ]

    assert [process.wait() for process in processes] == [0] * PROCESSES
    after = Registry.open(url, cache=cache)
    alone = Registry.open(url)
    assert after.queries.history() == alone.queries.history()
    assert len(after.queries.history()) == 2 + PROCESSES * MOVES_EACH
    assert len(list(cache.iterdir())) == 2, "the file and its lock"
    after.close()
    alone.close()


def effective(queries: Queries, *, grants: Grants, **wanted: Any) -> list[HistoryEntry]:
    """Everything that had an effect: what had none may be of a line here and of none there."""
    return [one for one in queries.history(grants=grants, **wanted) if one.effective]


@settings(max_examples=100)
@given(private_logs.logs, st.integers(0, 6))
def test_history_leaves_out_what_is_hidden(log: list[list[dict[str, Any]]], limit: int) -> None:
    """All of it, that of one channel, and full pages: as if nothing of it had ever happened."""
    whole, known = (
        Queries(FakeJournal(one), registry_id="r", cache=None)  # type: ignore[arg-type]
        for one in (log, private_logs.as_known_outside(log))
    )
    outside = private_logs.OUTSIDE

    for channel in (None, "stable", "beta"):
        mine = effective(whole, grants=outside, channel=channel)
        assert mine == effective(known, grants=EVERYTHING, channel=channel)

    entries = whole.history(grants=outside)
    assert not [one for one in entries if one.adapter.startswith("guild/")]
    assert whole.history(grants=outside, limit=limit) == entries[max(0, len(entries) - limit) :]
    assert whole.history(grants=outside, before=len(log)) == tuple(
        one for one in entries if one.seq < len(log)
    )
    for queries in (whole, known):
        queries.close()


@settings(max_examples=60)
@given(private_logs.logs)
def test_search_finds_nothing_that_is_hidden(log: list[list[dict[str, Any]]]) -> None:
    """Nor whole lines that are seen in part; what is seen is found, however little is asked for."""
    queries = Queries(FakeJournal(log), registry_id="r", cache=None)  # type: ignore[arg-type]
    outside = private_logs.OUTSIDE

    found = queries.search("sd1", grants=outside)
    [first] = queries.search("sd1", grants=outside, limit=1)

    hits = [str(hit.adapter) for hit in queries.search("sd1")]
    assert "guild/oil" in hits
    assert [str(hit.adapter) for hit in found] == [
        name for name in hits if name not in ("guild/oil", "acme/mix")
    ]
    assert first == found[0]
    for words in ("guild", "oil", "guild/oil"):
        assert not [h for h in queries.search(words, grants=outside) if "guild/" in str(h.adapter)]
    queries.close()


@settings(max_examples=60)
@given(private_logs.logs)
def test_hidden_was_never_served(log: list[list[dict[str, Any]]]) -> None:
    """A channel that pointed to it pointed nowhere."""
    whole, known = (
        Queries(FakeJournal(one), registry_id="r", cache=None)  # type: ignore[arg-type]
        for one in (log, private_logs.as_known_outside(log))
    )

    served = whole.served_at(at(3600), grants=private_logs.OUTSIDE)

    assert served == known.served_at(at(3600))
    for queries in (whole, known):
        queries.close()


def test_hidden_line_has_no_past() -> None:
    """Asked for by name it is answered as one that never was."""
    journal = FakeJournal([private_logs.BEGINNING])
    queries = Queries(journal, registry_id="r", cache=None)  # type: ignore[arg-type]
    outside = private_logs.OUTSIDE

    assert queries.history(private_logs.PRIVATE, grants=outside) == ()
    assert queries.history(private_logs.PRIVATE, grants=private_logs.INSIDE) != ()
    with pytest.raises(NotFound) as caught:
        queries.served_at(at(3600), adapter=private_logs.PRIVATE, grants=outside)
    assert "guild/oil" not in caught.value.hint
