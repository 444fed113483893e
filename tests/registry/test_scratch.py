# SPDX-License-Identifier: Apache-2.0
"""Temporary folders: gone when they are closed, found when their process was killed."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.scratch import Scratch, remove_abandoned

HOLDER = """
import sys, time
from pathlib import Path
from tabard_registry.scratch import Scratch
with Scratch("test", parent=Path(sys.argv[1])) as scratch:
    (scratch.path / "half").write_bytes(b"x")
    print(scratch.path, flush=True)
    time.sleep(600)
"""


@contextmanager
def held_elsewhere(parent: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """Let another process have a folder in use."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(parent)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        with process.stdout:
            yield Path(process.stdout.readline().strip()), process
    finally:
        process.kill()
        process.wait()


def test_folder_lasts_for_its_block(tmp_path: Path) -> None:
    """It is this user's alone, and gone with all that is in it; closing twice is fine."""
    with Scratch("upload", parent=tmp_path) as scratch:
        (scratch.path / "deep").mkdir()
        (scratch.path / "deep" / "file").write_bytes(b"x")
        assert scratch.path.stat().st_mode & 0o777 == 0o700
    scratch.close()

    assert list(tmp_path.iterdir()) == []


def test_killed_process_leaves_nothing(tmp_path: Path) -> None:
    """What a process killed without warning had in use is removed by the next one."""
    with held_elsewhere(tmp_path) as (folder, process):
        process.kill()
        process.wait()
        assert (folder / "half").exists()

        assert remove_abandoned(tmp_path) == [folder]

    assert list(tmp_path.iterdir()) == []


def test_folder_in_use_stays(tmp_path: Path) -> None:
    """A folder is nobody's to remove while its process lives, here or elsewhere."""
    with held_elsewhere(tmp_path) as (folder, _process), Scratch("own", parent=tmp_path) as own:
        assert remove_abandoned(tmp_path) == []
        assert (folder / "half").exists()
        assert own.path.exists()


def test_other_folders_are_not_touched(tmp_path: Path) -> None:
    """Names of others, files, links and what they point to stay as they are."""
    (tmp_path / "tabard-demo").mkdir()
    (tmp_path / "tabard-scratch-file").write_bytes(b"x")
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "tabard-scratch-link").symlink_to(target)

    assert remove_abandoned(tmp_path) == []

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"tabard-demo", "tabard-scratch-file", "tabard-scratch-link", "target"}


def test_folder_without_locks_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has no locks a folder is used, and nobody takes it for abandoned."""

    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(45, "not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    with Scratch("upload", parent=tmp_path) as scratch:
        assert remove_abandoned(tmp_path) == []
        assert scratch.path.exists()


def test_folder_taken_before_its_lock_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who cleans between the making of a folder and its lock takes it; another one is made."""
    flock, taken = fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        if not taken:
            (folder,) = tmp_path.iterdir()
            taken.append(folder)
            folder.rmdir()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with Scratch("upload", parent=tmp_path) as scratch:
        assert scratch.path.exists()
        assert scratch.path not in taken


def test_opened_registry_clears_what_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens a registry, server or command, removes what killed ones left behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with held_elsewhere(tmp_path / "temporary") as (folder, process):
        process.kill()
        process.wait()

        Registry.open(str(tmp_path / "registry")).close()

        assert not folder.exists()


def test_everything_temporary_is_scratch() -> None:
    """No other folder for temporary files is made by registry, server or command line.

    What a gallery makes is no scratch: pictures stay there that had no other place. Nor is a new
    file of profiles or a picture in a cache, which takes its place when it is whole.
    """
    root = Path(__file__).parents[2]
    makers = ("TemporaryDirectory", "mkdtemp", "NamedTemporaryFile", "mkstemp")
    found = [
        path.name
        for part in ("clients/python", "registry", "server")
        for path in (root / part).rglob("*.py")
        if any(maker in path.read_text(encoding="utf-8") for maker in makers)
    ]

    assert sorted(found) == ["gallery.py", "picture_cache.py", "profiles.py", "scratch.py"]
