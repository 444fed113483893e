# SPDX-License-Identifier: Apache-2.0
"""What is no regular file is refused at once, under any name."""

import os
from pathlib import Path

import pytest

from tabard_registry.regular_file import open_regular


def test_regular_file_is_opened(tmp_path: Path) -> None:
    """Links lead to it."""
    (tmp_path / "file").write_bytes(b"body")
    (tmp_path / "link").symlink_to(tmp_path / "file")

    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"body"


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "circle"])
def test_other_things_are_refused(kind: str, tmp_path: Path) -> None:
    """A pipe is not waited for, and a device not read."""
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)

    with pytest.raises(OSError, match=kind):
        open_regular(path)


def test_late_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take the place of a file after one has looked."""
    (tmp_path / "file").write_bytes(b"body")
    looked = (tmp_path / "file").stat()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "stat", lambda _path: looked)

    with pytest.raises(OSError, match="no regular file"):
        open_regular(tmp_path / "pipe")
