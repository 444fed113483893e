# SPDX-License-Identifier: Apache-2.0
"""The ready file speaks for one living server, and for no other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabard_server.life.ready_file import ReadyFile, remove_stale

ADDRESSES = {"address": "127.0.0.1:1", "operators_address": "", "metrics_address": ""}


def written_by(pid: object, folder: Path) -> Path:
    """Return a ready file that names a process."""
    path = folder / "ready.json"
    path.write_text(json.dumps(ADDRESSES | {"pid": pid}))
    return path


def test_file_is_there_until_the_end(tmp_path: Path) -> None:
    """Alone in its folder, with the process that wrote it."""
    path = tmp_path / "ready.json"

    with ReadyFile(str(path)) as ready:
        assert not path.exists()
        ready.write(**ADDRESSES)
        assert json.loads(path.read_text()) == ADDRESSES | {"pid": os.getpid()}
        assert list(tmp_path.iterdir()) == [path]

    assert list(tmp_path.iterdir()) == []


def test_file_goes_with_a_server_that_fails(tmp_path: Path) -> None:
    """Whatever ends it."""
    path = tmp_path / "ready.json"

    with pytest.raises(ZeroDivisionError), ReadyFile(str(path)) as ready:
        ready.write(**ADDRESSES)
        raise ZeroDivisionError

    assert not path.exists()


def test_file_of_a_successor_stays(tmp_path: Path) -> None:
    """It may be ready before the older one has drained."""
    with ReadyFile(str(tmp_path / "ready.json")) as ready:
        ready.write(**ADDRESSES)
        path = written_by(os.getppid(), tmp_path)

    assert path.exists()


def test_no_file_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then none is written."""
    monkeypatch.chdir(tmp_path)

    with ReadyFile(None) as ready:
        ready.write(**ADDRESSES)
        assert list(tmp_path.iterdir()) == []


def test_file_of_a_dead_process_is_stale(tmp_path: Path) -> None:
    """As after `kill -9`."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    path = written_by(process.pid, tmp_path)

    remove_stale(str(path))

    assert not path.exists()


@pytest.mark.parametrize(
    "pid", [os.getpid(), 0, -1, 2**70, "x", None], ids=["own", "0", "-1", "large", "x", "none"]
)
def test_file_that_names_nobody_else_is_stale(pid: object, tmp_path: Path) -> None:
    """This process has written none; in a container its number may be that of the last one."""
    path = written_by(pid, tmp_path)

    remove_stale(str(path))
    remove_stale(str(path))

    assert not path.exists()


def test_file_of_a_living_process_stays(tmp_path: Path) -> None:
    """A second start by mistake takes nothing from the first server."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        path = written_by(process.pid, tmp_path)

        remove_stale(str(path))

        assert path.exists()
        process.kill()
