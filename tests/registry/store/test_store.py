# SPDX-License-Identifier: Apache-2.0
"""What every store promises, tried on each of them."""

import random
import threading
from collections.abc import Iterator

import pytest

from tabard_registry.errors import CorruptRegistry, NotFound
from tabard_registry.store.store import Outcome, Store

LARGE = random.Random(0).randbytes((11 << 20) + 7)
"""Three parts of the smallest size, the last one odd."""


def test_create_makes_an_object_once(store: Store) -> None:
    """The second create changes nothing and says so."""
    first = store.create("log/1", body=b"one")
    second = store.create("log/1", body=b"two")

    assert (first, second) == (Outcome.CREATED, Outcome.OCCUPIED)
    assert store.read("log/1", bytes_max=10) == b"one"


def test_created_object_may_be_empty(store: Store) -> None:
    """No bytes are an object too."""
    assert store.create("a", body=b"") is Outcome.CREATED

    assert store.read("a", bytes_max=1) == b""
    assert store.size_bytes("a") == 0
    assert b"".join(store.stream("a")) == b""


def test_threads_read_what_they_created(store: Store) -> None:
    """One store serves several threads."""
    outcomes: dict[int, Outcome] = {}

    def create(number: int) -> None:
        outcomes[number] = store.create(f"log/{number}", body=bytes([number]))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(outcomes.values()) == {Outcome.CREATED}
    assert [store.read(f"log/{n}", bytes_max=1) for n in range(8)] == [bytes([n]) for n in range(8)]


def test_missing_object_is_none(store: Store) -> None:
    """What is not there is None, and cannot be streamed."""
    assert store.read("log/1", bytes_max=1) is None
    assert store.size_bytes("log/1") is None
    assert store.local_path("log/1") is None
    assert store.top_level() == frozenset()
    for options in ({}, {"start": 5}, {"length": 0}):
        with pytest.raises(NotFound, match="log/1"):
            list(store.stream("log/1", **options))


def test_oversized_object_is_corrupt(store: Store) -> None:
    """A small read does not swallow a large object."""
    store.put("b", chunks=[b"12345"])

    assert store.read("b", bytes_max=5) == b"12345"
    with pytest.raises(CorruptRegistry, match="b is larger"):
        store.read("b", bytes_max=4)


def test_read_many_keeps_the_order(store: Store) -> None:
    """Answers come in the order of the keys, None where nothing is."""
    for number in range(0, 40, 2):
        store.create(f"log/{number}", body=str(number).encode())

    found = store.read_many([f"log/{number}" for number in range(40)], bytes_max=10)

    assert found == [None if number % 2 else str(number).encode() for number in range(40)]
    assert store.read_many([], bytes_max=1) == []


def test_read_many_refuses_like_read(store: Store) -> None:
    """One large object among small ones is named."""
    store.create("a", body=b"1")
    store.create("b", body=b"12345")

    with pytest.raises(CorruptRegistry, match="b is larger"):
        store.read_many(["a", "b"], bytes_max=4)


@pytest.mark.parametrize("content", [b"", b"few bytes", LARGE], ids=["empty", "small", "large"])
def test_put_bytes_come_back(store: Store, content: bytes) -> None:
    """Whatever the size and however it was cut, the bytes are the same."""
    store.put("blob/x", chunks=_cut(content, [1, 100, 3 << 20]))

    assert store.size_bytes("blob/x") == len(content)
    assert b"".join(store.stream("blob/x")) == content


def test_put_leaves_an_object_alone(store: Store) -> None:
    """An object under its content address is never written twice."""
    store.put("blob/x", chunks=[b"first"])
    store.put("blob/x", chunks=[b"second"])

    assert store.read("blob/x", bytes_max=10) == b"first"


@pytest.mark.parametrize("good", [b"half", LARGE], ids=["small", "large"])
def test_failing_chunks_store_nothing(store: Store, good: bytes) -> None:
    """A source that fails midway leaves no object, and the next put starts afresh."""

    def failing() -> Iterator[bytes]:
        yield good
        raise CorruptRegistry("changed", reason="CORRUPT_BLOB")

    with pytest.raises(CorruptRegistry, match="changed"):
        store.put("blob/x", chunks=failing())

    assert store.size_bytes("blob/x") is None
    store.put("blob/x", chunks=[good])
    assert b"".join(store.stream("blob/x")) == good


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, None), (0, 1), (5, 10), (4 << 20, 5 << 20), (5 << 20, None), (1, 10 << 20), (7, 0)],
)
def test_stream_yields_a_range(store: Store, start: int, length: int | None) -> None:
    """A stream can begin and end anywhere."""
    store.put("b", chunks=[LARGE])
    end = len(LARGE) if length is None else start + length

    assert b"".join(store.stream("b", start=start, length=length)) == LARGE[start:end]


def test_stream_ends_with_the_object(store: Store) -> None:
    """A range that goes beyond the end yields what there is."""
    store.put("b", chunks=[b"0123456789"])

    assert b"".join(store.stream("b", start=8, length=100)) == b"89"
    assert b"".join(store.stream("b", start=10)) == b""
    assert b"".join(store.stream("b", start=1000)) == b""


def test_abandoned_stream_ends(store: Store) -> None:
    """Who stops reading leaves nothing running."""
    store.put("b", chunks=[LARGE])

    stream = store.stream("b")
    next(stream)
    next(stream, b"")
    stream.close()  # type: ignore[attr-defined]

    running = [thread.name for thread in threading.enumerate()]
    assert [name for name in running if name.startswith("ThreadPoolExecutor")] == []


def test_replace_writes_over(store: Store) -> None:
    """A replaced object holds the last bytes."""
    store.replace("hint.json", body=b"one")
    store.replace("hint.json", body=b"two")

    assert store.read("hint.json", bytes_max=10) == b"two"


def test_delete_is_idempotent(store: Store) -> None:
    """A deleted object is gone; deleting what is not there is fine."""
    store.create("blob/x", body=b"x")

    store.delete("blob/x")
    store.delete("blob/x")
    store.delete("nowhere/at/all")

    assert store.read("blob/x", bytes_max=1) is None
    assert store.create("blob/x", body=b"y") is Outcome.CREATED


def test_objects_are_listed_in_order(store: Store) -> None:
    """A listing is sorted by key, knows sizes, and has what begins with the prefix only."""
    for key in ("blob/b/2", "blob/a", "blob/b.1", "blob/b/10", "blobs", "log/1"):
        store.create(key, body=key.encode())

    listed = [(found.key, found.size_bytes) for found in store.objects("blob/")]

    assert listed == [("blob/a", 6), ("blob/b.1", 8), ("blob/b/10", 9), ("blob/b/2", 8)]
    assert [one.key for one in store.objects("blob/b")] == ["blob/b.1", "blob/b/10", "blob/b/2"]
    assert [one.key for one in store.objects("")][-2:] == ["blobs", "log/1"]
    assert list(store.objects("nothing/")) == []


def test_unfinished_writes_are_not_listed(store: Store) -> None:
    """What lies in `tmp/` is nobody's object."""
    store.create("tmp/x", body=b"x")

    assert list(store.objects("")) == []
    assert list(store.objects("tmp/")) == []


def test_fresh_object_is_young(store: Store) -> None:
    """Ages are counted from the write, never below zero."""
    store.create("a", body=b"x")

    (found,) = store.objects("a")

    assert 0 <= found.age_seconds < 600


def test_top_level_names_first_segments(store: Store) -> None:
    """The first names, and nothing below them."""
    store.create("format.json", body=b"x")
    store.create("log/1", body=b"x")
    store.create("log/2", body=b"x")

    assert store.top_level() - {"tmp"} == {"format.json", "log"}


def _cut(content: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield content[at : at + size]
        at += size
    yield content[at:]
