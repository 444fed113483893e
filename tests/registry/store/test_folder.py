# SPDX-License-Identifier: Apache-2.0
import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tabard_registry.errors import CorruptRegistry, NotFound, StoreUnavailable
from tabard_registry.store.folder import TEMP_AGE_SECONDS_MAX, FolderStore
from tabard_registry.store.store import BRING_BACK, FORMAT_KEY, TRY_AGAIN, Outcome


def test_create_makes_an_object_once(tmp_path: Path) -> None:
    """The second create changes nothing and says so."""
    store = FolderStore(tmp_path / "new" / "folder")

    first = store.create("log/1", body=b"one")
    second = store.create("log/1", body=b"two")

    assert (first, second) == (Outcome.CREATED, Outcome.OCCUPIED)
    assert store.read("log/1", bytes_max=10) == b"one"


def test_race_of_creates_has_one_winner(tmp_path: Path) -> None:
    """Of many threads that create one object, one wins."""
    store = FolderStore(tmp_path)
    outcomes: list[tuple[bytes, Outcome]] = []
    gate = threading.Barrier(8)

    def create(body: bytes) -> None:
        gate.wait()
        outcomes.append((body, store.create("log/1", body=body)))

    threads = [threading.Thread(target=create, args=(bytes([65 + i]),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [body for body, outcome in outcomes if outcome is Outcome.CREATED]
    assert winners == [store.read("log/1", bytes_max=10)]


def test_failed_link_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that fails for a reason of the disk may have happened: the outcome is unknown."""

    def broken_link(source: Path, target: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", broken_link)

    assert FolderStore(tmp_path).create("log/1", body=b"x") is Outcome.UNKNOWN


def test_missing_hard_links_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links is refused with that reason."""

    def no_link(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)

    with pytest.raises(StoreUnavailable) as caught:
        FolderStore(tmp_path).create("log/1", body=b"x")
    assert "hard links" in caught.value.hint


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Creates and puts leave no temporary file, whatever came of them."""
    store = FolderStore(tmp_path)

    store.create("a", body=b"x")
    store.create("a", body=b"y")
    store.put("b", chunks=[b"x"])
    with pytest.raises(CorruptRegistry):
        store.put("c", chunks=_failing())

    assert list((tmp_path / "tmp").iterdir()) == []
    assert store.top_level() == {"a", "b", "tmp"}


def test_failing_chunks_store_nothing(tmp_path: Path) -> None:
    """A source that fails midway leaves no object."""
    store = FolderStore(tmp_path)

    with pytest.raises(CorruptRegistry):
        store.put("blob/x", chunks=_failing())

    assert store.size_bytes("blob/x") is None


def test_stream_yields_a_range(tmp_path: Path) -> None:
    """A stream can begin and end anywhere."""
    store = FolderStore(tmp_path)
    store.put("b", chunks=[b"0123", b"456789"])

    assert b"".join(store.stream("b", start=2, length=5)) == b"23456"
    assert b"".join(store.stream("b", start=8)) == b"89"
    assert b"".join(store.stream("b", length=0)) == b""


def test_missing_object_is_none(tmp_path: Path) -> None:
    """What is not there is None, and cannot be streamed."""
    store = FolderStore(tmp_path / "nowhere")

    assert store.read("log/1", bytes_max=1) is None
    assert store.size_bytes("log/1") is None
    assert store.local_path("log/1") is None
    assert store.top_level() == frozenset()
    with pytest.raises(NotFound):
        list(store.stream("log/1"))


def test_oversized_object_is_corrupt(tmp_path: Path) -> None:
    """A small read does not swallow a large object."""
    store = FolderStore(tmp_path)
    store.put("b", chunks=[b"12345"])

    with pytest.raises(CorruptRegistry, match="b is larger"):
        store.read("b", bytes_max=4)


def test_sweep_removes_old_leftovers(tmp_path: Path) -> None:
    """Leftovers of killed writers go after a day, fresh ones stay."""
    store = FolderStore(tmp_path)
    store.create("a", body=b"x")
    old, fresh = tmp_path / "tmp" / "old", tmp_path / "tmp" / "fresh"
    for path in (old, fresh):
        path.write_bytes(b"half")
    long_ago = time.time() - TEMP_AGE_SECONDS_MAX - 60
    os.utime(old, (long_ago, long_ago))

    assert store.sweep() == 1
    assert (old.exists(), fresh.exists()) == (False, True)


def _failing() -> Iterator[bytes]:
    yield b"half"
    raise CorruptRegistry("changed", reason="CORRUPT_BLOB")


def test_age_is_by_the_file_system(tmp_path: Path) -> None:
    """An object's age is what its file says, compared with a file written now; no file stays."""
    store = FolderStore(tmp_path)
    store.create("blob/a", body=b"x")
    an_hour_ago = (tmp_path / "blob" / "a").stat().st_mtime - 3600
    os.utime(tmp_path / "blob" / "a", (an_hour_ago, an_hour_ago))

    (found,) = store.objects("blob/")

    assert 3600 <= found.age_seconds < 7200
    assert list((tmp_path / "tmp").iterdir()) == []


def test_listing_a_missing_folder_makes_nothing(tmp_path: Path) -> None:
    """A question leaves no trace."""
    assert list(FolderStore(tmp_path / "nowhere").objects("blob/")) == []
    assert not (tmp_path / "nowhere").exists()


def test_folder_needs_no_doctor(tmp_path: Path) -> None:
    """A file system makes a name once; and what writers left behind is swept at every opening."""
    store = FolderStore(tmp_path)

    assert (store.needs_doctor, store.is_swept_when_opened) == (False, True)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.read("log/1", bytes_max=9),
        lambda store: list(store.stream("log/1")),
        lambda store: store.size_bytes("log/1"),
        lambda store: store.local_path("log/1"),
        lambda store: store.put("log/2", chunks=[b"x"]),
        lambda store: store.replace("log/1", body=b"x"),
        lambda store: store.delete("log/1"),
        lambda store: list(store.objects("log/")),
    ],
    ids=["read", "stream", "size", "path", "put", "replace", "delete", "list"],
)
def test_file_system_that_is_away_is_typed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[FolderStore], object],
    number: int,
) -> None:
    """What a network folder says while its server is away means the same as a store that is."""
    store = FolderStore(tmp_path)
    assert store.create("log/1", body=b"one") is Outcome.CREATED

    def fail(path: object, *_args: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    for name in ("open", "stat", "unlink"):
        monkeypatch.setattr(Path, name, fail)

    with pytest.raises(StoreUnavailable) as caught:
        act(store)

    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert caught.value.hint == TRY_AGAIN


def _registry(folder: Path) -> FolderStore:
    store = FolderStore(folder)
    store.create(FORMAT_KEY, body=b"{}")
    store.create("log/1", body=b"one")
    return store


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.create("log/2", body=b"x"),
        lambda store: store.create("log/deeper/2", body=b"x"),
        lambda store: store.put("blob/x", chunks=[b"x"]),
        lambda store: store.replace("hint.json", body=b"x"),
    ],
    ids=["create", "deep", "put", "replace"],
)
@pytest.mark.parametrize("is_mount_left", [False, True], ids=["moved", "unmounted"])
def test_vanished_registry_is_never_made_anew(
    tmp_path: Path, write: Callable[[FolderStore], object], is_mount_left: bool
) -> None:
    """A moved folder, or an empty mount point, stays as it is; brought back, it takes writes."""
    folder, away = tmp_path / "above" / "registry", tmp_path / "away"
    made = _registry(folder)
    opened = FolderStore(folder)
    opened.read(FORMAT_KEY, bytes_max=99)
    (folder.parent if not is_mount_left else folder).rename(away)
    if is_mount_left:
        folder.mkdir()

    for store in (made, opened):
        with pytest.raises(StoreUnavailable) as caught:
            write(store)
        assert (caught.value.reason, caught.value.hint) == ("REGISTRY_MISSING", BRING_BACK)

    left = [folder.parent, folder] if is_mount_left else []
    assert set(tmp_path.rglob("*")) == {*left, *_below(away)}
    if is_mount_left:
        folder.rmdir()
    away.rename(folder if is_mount_left else folder.parent)
    write(opened)


def _below(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def test_registry_that_vanishes_meanwhile_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the write, too, nothing above the registry is made."""
    folder = tmp_path / "above" / "registry"
    store = _registry(folder)
    gone = iter([False])

    def is_gone(_store: FolderStore) -> bool:
        if not next(gone, True):
            folder.parent.rename(tmp_path / "away")
            return False
        return True

    monkeypatch.setattr(FolderStore, "_is_gone", is_gone)

    with pytest.raises(StoreUnavailable) as caught:
        store.create("log/2", body=b"x")

    assert caught.value.reason == "REGISTRY_MISSING"
    assert not folder.parent.exists()


def test_pipe_in_the_folder_is_not_waited_for(tmp_path: Path) -> None:
    """Whoever may write to a folder does not hold those who read it."""
    (tmp_path / "blob").mkdir()
    os.mkfifo(tmp_path / "blob" / "1")
    (tmp_path / "blob" / "2").symlink_to("/dev/zero")
    store = FolderStore(tmp_path)

    for key in ("blob/1", "blob/2"):
        with pytest.raises(StoreUnavailable, match="no regular file"):
            store.read(key, bytes_max=10)
        with pytest.raises(StoreUnavailable, match="no regular file"):
            next(store.stream(key))


def test_listing_ends_in_any_folder(tmp_path: Path) -> None:
    """Links that lead round, and more folders below each other than Python has frames."""
    (tmp_path / "blob").mkdir()
    (tmp_path / "blob" / "1").write_bytes(b"x")
    for name in ("round", "again"):
        (tmp_path / "blob" / name).symlink_to(tmp_path / "blob")
    folder = os.open(tmp_path / "blob", os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)

    found = [one.key for one in FolderStore(tmp_path).objects("blob/")]

    # Nobody who cleans up after tests goes down so far.
    subprocess.run(["rm", "-rf", tmp_path / "blob" / "d"], check=True)
    assert found == ["blob/1"]
