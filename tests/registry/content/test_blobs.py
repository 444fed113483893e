# SPDX-License-Identifier: Apache-2.0
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard_registry.content.blobs import Blobs, blob_key
from tabard_registry.errors import CorruptRegistry, NotFound, StoreUnavailable
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.store.folder import FolderStore
from tests.registry.fakes import MemoryStore

CONTENT = bytes(range(256)) * 40
DIGEST = sha256_bytes(CONTENT)


class ShakyStore(MemoryStore):
    """Loses the connection after `whole_bytes` of a stream; remembers where streams began."""

    def __init__(self, *, whole_bytes: int | None = None) -> None:
        super().__init__()
        self.whole_bytes = whole_bytes
        self.starts: list[int] = []
        self.held[blob_key(DIGEST)] = CONTENT

    def stream(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield some bytes, then fail."""
        self.starts.append(start)
        if self.whole_bytes is None:
            yield from super().stream(key, start=start, length=length)
            return
        yield from super().stream(key, start=start, length=self.whole_bytes)
        raise StoreUnavailable("connection lost", reason="STORE_UNAVAILABLE")


def test_interrupted_fetch_is_taken_up(tmp_path: Path) -> None:
    """The next fetch asks only for what is missing, and nothing is left beside the target."""
    store, target = ShakyStore(whole_bytes=1000), tmp_path / "a"
    with pytest.raises(StoreUnavailable):
        Blobs(store).fetch(DIGEST, target=target)
    assert not target.exists()
    store.whole_bytes = None

    Blobs(store).fetch(DIGEST, target=target)

    assert store.starts == [0, 1000]
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("left", [b"something else", CONTENT + b"and more", CONTENT])
def test_strange_leftover_does_no_harm(tmp_path: Path, left: bytes) -> None:
    """A leftover that is not the beginning of the blob is fetched again from the start."""
    (tmp_path / ".a.part").write_bytes(left)

    Blobs(ShakyStore()).fetch(DIGEST, target=tmp_path / "a")

    assert (tmp_path / "a").read_bytes() == CONTENT


def test_damaged_blob_never_appears(tmp_path: Path) -> None:
    """Bytes with another digest are named as damage; neither they nor a leftover stay."""
    store = ShakyStore()
    store.held[blob_key(DIGEST)] = b"damaged"

    with pytest.raises(CorruptRegistry, match=DIGEST.hex[2:]):
        Blobs(store).fetch(DIGEST, target=tmp_path / "a")

    assert list(tmp_path.iterdir()) == []


def test_missing_blob_leaves_nothing(tmp_path: Path) -> None:
    """Nothing is made for a blob that is not there."""
    with pytest.raises(NotFound):
        Blobs(MemoryStore()).fetch(DIGEST, target=tmp_path / "a")

    assert list(tmp_path.iterdir()) == []


def test_two_fetches_of_one_target(tmp_path: Path) -> None:
    """A second fetch while the first is on its way does not write into the first one's file."""
    store = FolderStore(tmp_path / "store")
    Blobs(store).put_bytes(CONTENT)
    halfway, go_on = threading.Event(), threading.Event()

    class Slow(FolderStore):
        def stream(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
            yield CONTENT[:100]
            halfway.set()
            assert go_on.wait(30)
            yield CONTENT[100:]

    slow = Blobs(Slow(tmp_path / "store"))
    first = threading.Thread(target=lambda: slow.fetch(DIGEST, target=tmp_path / "a"))
    first.start()
    assert halfway.wait(30)

    Blobs(store).fetch(DIGEST, target=tmp_path / "a")
    go_on.set()
    first.join()

    assert (tmp_path / "a").read_bytes() == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "store"]


def test_generation_keeps_bytes_apart() -> None:
    """Bytes that come back after a collection lie under another key than the condemned ones."""
    store, condemned = MemoryStore(), dict[Digest, int]()
    blobs = Blobs(store, generation=lambda digest: condemned.get(digest, 0))
    blobs.put_bytes(CONTENT)
    condemned[DIGEST] = 17
    with pytest.raises(NotFound):
        blobs.read(DIGEST, bytes_max=len(CONTENT))

    blobs.put_bytes(CONTENT)
    store.delete(blob_key(DIGEST))

    assert list(store.held) == [blob_key(DIGEST, generation=17)]
    assert store.held[blob_key(DIGEST) + ".17"] == CONTENT
    assert blobs.read(DIGEST, bytes_max=len(CONTENT)) == CONTENT


def test_delete_removes_every_generation() -> None:
    """A purge leaves no bytes under any key, and other blobs alone."""
    store = MemoryStore()
    for generation in (0, 3):
        Blobs(store, generation=lambda _digest, g=generation: g).put_bytes(CONTENT)  # type: ignore[misc]
    other = Blobs(store).put_bytes(b"other")

    Blobs(store).delete(DIGEST)
    Blobs(store).delete(DIGEST)

    assert list(store.held) == [blob_key(other)]
