# SPDX-License-Identifier: Apache-2.0
"""The disk tier: made once for many readers, whole files, bounded bytes, damage noticed."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tabard_registry import BlobRef, Digest, StoreUnavailable, sha256_bytes
from tabard_registry.scratch import Scratch
from tabard_server.adapters.disk_cache import Damaged, DiskCache
from tabard_server.telemetry.metrics import Metrics


class Maker:
    """Makes contents and counts, reads and writes files, and can be slow or out of order."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.seconds = 0.0
        self.error: Exception | None = None

    def use(self, disk: DiskCache, name: str, *, size: int = 400) -> bytes:
        """Ask the tier for a file that holds its name over and over."""
        content = (name * size)[:size].encode()

        def make() -> bytes:
            if self.error is not None:
                raise self.error
            self.made.append(name)
            time.sleep(self.seconds)
            return content

        def read(path: Path) -> bytes:
            found = path.read_bytes()
            if found != content:
                raise Damaged("it holds something else")
            return found

        return disk.use(name, read=read, make=make, write=lambda made, to: _write(to, made))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def tier(folder: Path, *, bytes_max: int = 1_000, metrics: Metrics | None = None) -> DiskCache:
    """Make a tier whose store is out of reach."""

    def fetch(_blob: BlobRef, _path: Path) -> None:
        raise StoreUnavailable("out", reason="STORE_UNAVAILABLE", hint="wait")

    return DiskCache(folder, fetch=fetch, bytes_max=bytes_max, metrics=metrics or Metrics())


def name_of(letter: str) -> str:
    """Name a file as those of releases are named."""
    return f"{letter * 64}.slab"


def test_file_is_made_once(tmp_path: Path) -> None:
    """The second reader, and the next process, find it on the disk."""
    maker = Maker()

    first = maker.use(tier(tmp_path / "cache"), name_of("a"))
    second = maker.use(tier(tmp_path / "cache"), name_of("a"))

    assert first == second
    assert len(maker.made) == 1


def test_many_readers_share_one_making(tmp_path: Path) -> None:
    """Eight threads ask while one of them makes it."""
    maker, disk = Maker(), tier(tmp_path)
    maker.seconds = 0.05

    with ThreadPoolExecutor(max_workers=8) as threads:
        found = set(threads.map(lambda _n: maker.use(disk, name_of("a")), range(8)))

    assert len(found) == len(maker.made) == 1
    assert disk._turns == {}


def test_another_file_need_not_wait(tmp_path: Path) -> None:
    """A slow file holds up nobody who wants another one."""
    quick, disk = Maker(), tier(tmp_path)
    gate = threading.Event()

    def wait() -> bytes:
        assert gate.wait(timeout=30)
        return b""

    with ThreadPoolExecutor(max_workers=1) as threads:
        waiting = threads.submit(
            disk.use, name_of("a"), read=Path.read_bytes, make=wait, write=lambda _m, to: to.touch()
        )
        quick.use(disk, name_of("b"))
        assert not waiting.done()
        gate.set()
        assert waiting.result(timeout=30) == b""


@pytest.mark.parametrize("damage", [b"", b"something else"])
def test_damaged_file_is_made_again(tmp_path: Path, damage: bytes) -> None:
    """The damage is counted, and the file is made whole."""
    maker, metrics = Maker(), Metrics()
    disk = tier(tmp_path, metrics=metrics)
    whole = maker.use(disk, name_of("a"))
    (tmp_path / name_of("a")).write_bytes(damage)

    found = maker.use(disk, name_of("a"))

    assert found == whole == (tmp_path / name_of("a")).read_bytes()
    assert len(maker.made) == 2
    value = metrics.registry.get_sample_value
    assert value("tabard_failures_total", {"reason": "CACHE_DAMAGED"}) == 1.0


def test_failed_making_leaves_nothing(tmp_path: Path) -> None:
    """The error reaches who asked; the next one tries again."""
    maker, disk = Maker(), tier(tmp_path)
    maker.error = StoreUnavailable("out", reason="STORE_UNAVAILABLE", hint="wait")

    with pytest.raises(StoreUnavailable):
        maker.use(disk, name_of("a"))
    maker.error = None

    assert list(tmp_path.iterdir()) == []
    assert maker.use(disk, name_of("a"))


def test_least_used_makes_room(tmp_path: Path) -> None:
    """What was used less goes first, and the bound holds."""
    maker, disk = Maker(), tier(tmp_path)
    for letter in "abbaac":
        maker.use(disk, name_of(letter))

    assert {path.name[0] for path in tmp_path.iterdir()} == {"a", "c"}
    assert disk.kept_bytes == 800


def test_favoured_files_go_last(tmp_path: Path) -> None:
    """What a rollback returns to outlives what was used more."""
    maker, disk = Maker(), tier(tmp_path)
    disk.favour(frozenset({f"sha256:{'a' * 64}"}))
    for letter in "abbbc":
        maker.use(disk, name_of(letter))

    assert {path.name[0] for path in tmp_path.iterdir()} == {"a", "c"}


def test_what_others_kept_counts(tmp_path: Path) -> None:
    """Files of an earlier run go in the order of their last use, before what is used now."""
    maker = Maker()
    earlier = tier(tmp_path)
    for age, letter in ((100, "a"), (300, "b")):
        maker.use(earlier, name_of(letter))
        old = time.time() - age
        os.utime(tmp_path / name_of(letter), (old, old))

    maker.use(tier(tmp_path), name_of("c"))

    assert {path.name[0] for path in tmp_path.iterdir()} == {"a", "c"}


def test_file_beyond_the_bound_is_not_kept(tmp_path: Path) -> None:
    """It is used all the same, and nothing has to go for it."""
    maker, disk = Maker(), tier(tmp_path)
    maker.use(disk, name_of("a"))

    assert maker.use(disk, name_of("b"), size=2_000)
    assert {path.name[0] for path in tmp_path.iterdir()} == {"a"}


def test_forgotten_files_are_gone(tmp_path: Path) -> None:
    """Purged bytes do not stay in the cache; forgetting twice is fine."""
    maker, disk = Maker(), tier(tmp_path)
    for name in (name_of("a"), f"{'a' * 64}.float16.slab", name_of("b")):
        maker.use(disk, name, size=100)

    disk.forget(Digest("a" * 64))
    disk.forget(Digest("a" * 64))

    assert [path.name for path in tmp_path.iterdir()] == [name_of("b")]


def test_unusable_folder_is_read_around(tmp_path: Path) -> None:
    """Without a cache everything is made anew, and nothing fails."""
    maker = Maker()
    (tmp_path / "file").write_bytes(b"")
    disk = tier(tmp_path / "file")

    assert maker.use(disk, name_of("a")) == maker.use(disk, name_of("a"))
    assert len(maker.made) == 2


def test_leftovers_are_swept(tmp_path: Path) -> None:
    """What an interrupted writer left goes after a day, not at once."""
    old, new = tmp_path / ".old.part", tmp_path / ".new.part"
    for path in (old, new):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (long_ago, long_ago))

    Maker().use(tier(tmp_path), name_of("a"))

    assert (old.exists(), new.exists()) == (False, True)


def test_abandoned_files_go_at_once(tmp_path: Path) -> None:
    """What a killed process was about to keep is removed; what another one writes stays."""
    abandoned = tmp_path / "tabard-scratch-slab-abandoned"
    abandoned.mkdir()
    (abandoned / name_of("a")).write_bytes(b"half")

    with Scratch("slab", parent=tmp_path) as scratch:
        tier(tmp_path)

        assert (abandoned.exists(), scratch.path.exists()) == (False, True)


def test_file_is_written_apart(tmp_path: Path) -> None:
    """Until it is whole it lies where nobody who dies can leave it."""
    disk, places = tier(tmp_path), []

    def write(made: bytes, path: Path) -> None:
        places.append(path.parent)
        path.write_bytes(made)

    disk.use(name_of("a"), read=Path.read_bytes, make=lambda: b"x", write=write)

    assert [place.parent for place in places] == [tmp_path]
    assert [path.name for path in tmp_path.iterdir()] == [name_of("a")]


def test_others_cannot_write_the_folder(tmp_path: Path) -> None:
    """A folder that was too open is closed before anything is kept in it."""
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o777)

    Maker().use(tier(folder), name_of("a"))

    assert folder.stat().st_mode & 0o777 == 0o700


def test_fetched_file_is_lent(tmp_path: Path) -> None:
    """A blob is here for the length of the block; afterwards nothing of it is left."""
    content = b"weights"
    blob = BlobRef(name="canonical", sha256=sha256_bytes(content), bytes=len(content))
    disk = DiskCache(
        tmp_path / "cache",
        fetch=lambda _blob, path: _write(path, content),
        bytes_max=1_000,
        metrics=Metrics(),
    )

    with disk.fetched(blob) as path:
        found = path.read_bytes()

    assert found == content
    assert list((tmp_path / "cache").iterdir()) == []


def test_store_out_of_reach_is_told(tmp_path: Path) -> None:
    """It is not the fault of the folder, so nothing is tried elsewhere."""
    blob = BlobRef(name="canonical", sha256=sha256_bytes(b""), bytes=0)

    with pytest.raises(StoreUnavailable), tier(tmp_path).fetched(blob):
        raise AssertionError("nothing was fetched")
