# SPDX-License-Identifier: Apache-2.0
"""Files of others are read as far as they went at the start, and only if they are files."""

import os
from pathlib import Path

import pytest

from tabard.calls.local_files import LocalFile, first_bytes


def test_growth_is_not_followed(tmp_path: Path) -> None:
    """Whoever writes on and on keeps nobody reading."""
    path = tmp_path / "grows"
    path.write_bytes(b"body")

    with LocalFile(path) as file:
        path.write_bytes(b"body and more")
        found = b"".join(file.chunks())

    assert (found, file.size_bytes) == (b"body", 4)


def test_shorter_file_is_told(tmp_path: Path) -> None:
    """Half of a file is no file."""
    path = tmp_path / "shrinks"
    path.write_bytes(b"body")

    with LocalFile(path) as file, pytest.raises(OSError, match="became shorter"):
        os.truncate(path, 2)
        list(file.chunks())


def test_first_bytes_are_bounded(tmp_path: Path) -> None:
    """All of a small file, the start of a large one, nothing of one that says it is empty."""
    (tmp_path / "file").write_bytes(b"body")

    assert first_bytes(tmp_path / "file", bytes_max=2) == b"bo"
    assert first_bytes(tmp_path / "file", bytes_max=9) == b"body"
    assert first_bytes(Path("/proc/self/status"), bytes_max=9) == b""


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_other_things_are_refused(kind: str, tmp_path: Path) -> None:
    """Without waiting for them."""
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")

    with pytest.raises(OSError, match="no regular file"):
        first_bytes(path, bytes_max=1)


def test_late_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take the place of a file after one has looked."""
    (tmp_path / "file").write_bytes(b"body")
    looked = (tmp_path / "file").stat()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "stat", lambda _path: looked)

    with pytest.raises(OSError, match="no regular file"):
        LocalFile(tmp_path / "pipe")
