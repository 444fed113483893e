# SPDX-License-Identifier: Apache-2.0
"""The disk tier: one fetch for many readers, whole files, bounded bytes, damage noticed."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from livery_registry import BlobRef, CorruptRegistry, StoreUnavailable, sha256_bytes, sha256_file
from livery_server.adapters.disk import DiskTier
from livery_server.metrics import Metrics


class Remote:
    """A store of blobs that counts fetches and can be out of reach."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.is_out = False
        self.seconds = 0.0

    def add(self, content: bytes) -> BlobRef:
        """Keep a blob."""
        digest = sha256_bytes(content)
        self.contents[digest.hex] = content
        return BlobRef(name="canonical", sha256=digest, bytes=len(content))

    def __call__(self, blob: BlobRef, target: Path) -> None:
        if self.is_out:
            raise StoreUnavailable("out", reason="STORE_UNAVAILABLE", hint="wait")
        self.fetched.append(blob.sha256.hex)
        time.sleep(self.seconds)
        part = target.with_name(f".{target.name}.{threading.get_ident()}")
        part.write_bytes(self.contents[blob.sha256.hex])
        part.replace(target)


def reader(blob: BlobRef) -> Callable[[Path], bytes]:
    """Make what reads and verifies the file of a blob."""

    def read(path: Path) -> bytes:
        if sha256_file(path) != blob.sha256:
            raise CorruptRegistry("damaged", reason="CORRUPT_BLOB", hint="fetch it again")
        return path.read_bytes()

    return read


def tier(folder: Path, remote: Remote, *, bytes_max: int = 1_000) -> DiskTier:
    """Make a tier."""
    return DiskTier(folder, fetch=remote, bytes_max=bytes_max, metrics=Metrics())


def test_file_is_fetched_once(tmp_path: Path) -> None:
    """The second reader, and the next process, find it on the disk even without the store."""
    remote = Remote()
    blob = remote.add(b"weights")

    first = tier(tmp_path / "cache", remote).use(blob, reader(blob))
    remote.is_out = True
    second = tier(tmp_path / "cache", remote).use(blob, reader(blob))

    assert first == second == b"weights"
    assert len(remote.fetched) == 1


def test_many_readers_share_one_fetch(tmp_path: Path) -> None:
    """Eight threads ask while one of them fetches."""
    remote = Remote()
    remote.seconds = 0.05
    blob = remote.add(b"weights")
    disk = tier(tmp_path, remote)

    with ThreadPoolExecutor(max_workers=8) as threads:
        found = list(threads.map(lambda _n: disk.use(blob, reader(blob)), range(8)))

    assert found == [b"weights"] * 8
    assert len(remote.fetched) == 1
    assert disk._turns == {}


@pytest.mark.parametrize("damage", [b"", b"weighty", b"weights and more"])
def test_damaged_file_is_fetched_again(tmp_path: Path, damage: bytes) -> None:
    """Truncated, flipped or grown: the digest tells, and the file is made whole."""
    remote = Remote()
    blob = remote.add(b"weights")
    disk = tier(tmp_path, remote)
    disk.use(blob, reader(blob))
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)

    found = disk.use(blob, reader(blob))

    assert (found, file.read_bytes(), len(remote.fetched)) == (b"weights", b"weights", 2)


def test_oldest_files_make_room(tmp_path: Path) -> None:
    """What was used longest ago goes first; the bound holds."""
    remote = Remote()
    blobs = [remote.add(bytes([number]) * 400) for number in range(3)]
    disk = tier(tmp_path, remote, bytes_max=1_000)
    for age, blob in zip((300, 200), blobs[:2], strict=True):
        disk.use(blob, reader(blob))
        old = time.time() - age
        os.utime(tmp_path / f"{blob.sha256.hex}.safetensors", (old, old))
    disk.use(blobs[0], reader(blobs[0]))

    disk.use(blobs[2], reader(blobs[2]))

    left = {path.stem for path in tmp_path.iterdir()}
    assert left == {blobs[0].sha256.hex, blobs[2].sha256.hex}
    assert disk.kept_bytes == 800


def test_file_beyond_the_bound_is_not_kept(tmp_path: Path) -> None:
    """It is read all the same."""
    remote = Remote()
    blob = remote.add(b"x" * 2_000)
    disk = tier(tmp_path, remote, bytes_max=1_000)

    assert disk.use(blob, reader(blob)) == b"x" * 2_000
    assert disk.kept_bytes == 0


def test_forgotten_file_is_gone(tmp_path: Path) -> None:
    """Purged bytes do not stay in the cache; forgetting twice is fine."""
    remote = Remote()
    blob = remote.add(b"weights")
    disk = tier(tmp_path, remote)
    disk.use(blob, reader(blob))

    disk.forget(blob.sha256)
    disk.forget(blob.sha256)

    assert list(tmp_path.iterdir()) == []


def test_unusable_folder_is_read_around(tmp_path: Path) -> None:
    """Without a cache every load asks the store, and nothing fails."""
    remote = Remote()
    blob = remote.add(b"weights")
    (tmp_path / "file").write_bytes(b"")
    disk = tier(tmp_path / "file", remote)

    assert disk.use(blob, reader(blob)) == b"weights"


def test_leftovers_are_swept(tmp_path: Path) -> None:
    """What an interrupted fetch left goes after a day, not at once."""
    remote = Remote()
    old, new = tmp_path / ".old.part", tmp_path / ".new.part"
    for path in (old, new):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    blob = remote.add(b"weights")

    tier(tmp_path, remote).use(blob, reader(blob))

    assert (old.exists(), new.exists()) == (False, True)


def test_damage_in_the_store_is_told(tmp_path: Path) -> None:
    """A file that is wrong twice is not the cache's fault."""
    remote = Remote()
    blob = remote.add(b"weights")
    remote.contents[blob.sha256.hex] = b"other"

    with pytest.raises(CorruptRegistry):
        tier(tmp_path, remote).use(blob, reader(blob))
