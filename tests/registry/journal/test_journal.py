# SPDX-License-Identifier: Apache-2.0
import random
import threading
from pathlib import Path

import pytest

from tabard_registry import AdapterRef, Author, Registry, acts
from tabard_registry.errors import AlreadyExists, StoreUnavailable
from tabard_registry.store.store import Outcome
from tests.registry.fakes import NAME, promote, publish, small_manifest
from tests.registry.log.lying_store import PUBLISH_NEXT, LyingStore, Writer


def test_request_id_acts_once(registry: Registry, tmp_path: Path) -> None:
    """A repeated request gives the first answer; another act under its id is refused."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)

    moves = [
        registry.roll_back(
            NAME,
            channel="stable",
            to=None,
            author=Author(actor="bob", reason="bad", request_id="r"),
        )
        for _ in range(2)
    ]

    assert moves[0] == moves[1]
    assert str(registry.state.resolve(AdapterRef.parse("acme/ink")).version) == "1.1.0"
    with pytest.raises(AlreadyExists) as caught:
        publish(registry, "3.0.0", folder=tmp_path, request_id="r")
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_repeated_publish_request_created(registry: Registry, tmp_path: Path) -> None:
    """A publish repeated with its request id gives the first answer."""
    first = publish(registry, "1.0.0", folder=tmp_path, seed=1, request_id="r")

    second = publish(registry, "1.0.0", folder=tmp_path, seed=1, request_id="r")

    assert first == second


def test_own_records_are_known(registry: Registry, tmp_path: Path) -> None:
    """Whoever wrote a record knows it for as long as it is new; to all others it is not theirs."""
    other = Registry.open(str(tmp_path / "registry"))
    publish(registry, "1.0.0", folder=tmp_path)
    other.refresh()
    publish(other, "1.1.0", folder=tmp_path)
    registry.refresh()

    assert [one.is_own for one in registry.since(0)] == [True, False]
    assert [one.is_own for one in other.since(0)] == [False, True]
    assert registry.since(0) == other.since(0)


def test_refresh_returns_every_record_once(registry: Registry, tmp_path: Path) -> None:
    """A follower sees its own and others' records, each once."""
    other = Registry.open(str(tmp_path / "registry"))

    publish(registry, "1.0.0", folder=tmp_path)
    publish(other, "1.1.0", folder=tmp_path)

    assert [applied.seq for applied in registry.refresh()] == [1, 2]
    assert registry.refresh() == ()
    assert [applied.seq for applied in registry.since(1)] == [2]


def test_threads_share_one_registry(registry: Registry, tmp_path: Path) -> None:
    """Threads that act at once on one registry lose nothing."""
    publish(registry, "1.0.0", folder=tmp_path)

    def act(number: int) -> None:
        for i in range(10):
            promote(registry, "1.0.0", channel=f"c{number}-{i}")

    threads = [threading.Thread(target=act, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(registry.state.adapter(NAME).channels) == 40
    assert registry.seq <= 41
    reopened = Registry.open(registry.url)
    assert sum(len(a.record.actions) for a in reopened.since(0)) == 41
    assert len(registry.state.adapter(NAME).channels) == 40


def test_unknown_commit_is_said() -> None:
    """A slot that looks empty for ever ends in COMMIT_UNKNOWN, not in another slot."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    store.create = lambda key, *, body: Outcome.UNKNOWN  # type: ignore[method-assign]

    with pytest.raises(StoreUnavailable) as caught:
        writer.journal.commit(acts.publish(small_manifest("1.0.0")), author=Author(actor="ann"))

    assert caught.value.reason == "COMMIT_UNKNOWN"
    assert "same request id" in caught.value.hint
    assert writer.journal.state.seq == 0


def test_repeat_after_unknown_acts_once() -> None:
    """An act repeated with its request id finds the record that landed late."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    late: list[tuple[str, bytes]] = []
    reliable = store.create

    def unknown(key: str, *, body: bytes) -> Outcome:
        late.append((key, body))
        return Outcome.UNKNOWN

    act, author = acts.publish(small_manifest("1.0.0")), Author(actor="ann", request_id="r")
    store.create = unknown  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        writer.journal.commit(act, author=author)
    store.create = reliable  # type: ignore[method-assign]
    store.create(late[0][0], body=late[0][1])

    found = writer.journal.commit(act, author=author)

    assert found is not None and found.seq == 1
    assert writer.journal.state.seq == 1


def test_contention_is_bounded() -> None:
    """A writer that always loses gives up with a typed error and has written nothing."""
    store = LyingStore(random.Random(0))
    loser, winner = Writer(0, store, seed=0), Writer(1, store, seed=0)
    winner.left = [f"act {i}" for i in range(600)]
    store.is_lying = True
    store.before_create = winner.act
    store._rng = random.Random(0)
    store._rng.random = lambda: 0.99  # type: ignore[method-assign]

    with pytest.raises(StoreUnavailable) as caught:
        loser.journal.commit(PUBLISH_NEXT, author=Author(actor="ann", reason="lost"))

    assert caught.value.reason == "CONTENTION"
    assert all(applied.record.reason != "lost" for applied in loser.journal.applied())
