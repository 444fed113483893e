# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry.refs.digest import Hashing, sha256_bytes, sha256_file


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1, 3_000_000])
def test_hashing_gives_the_digest_of_the_file(size: int, tmp_path: Path) -> None:
    """In a thread or without one, a file has one digest."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))

    hashing = Hashing(path)

    assert hashing.result() == hashing.result() == sha256_file(path)
    assert sha256_file(path) == sha256_bytes(path.read_bytes())


def test_unreadable_file_is_told_to_who_waits(tmp_path: Path) -> None:
    """An error of the thread is the caller's."""
    with pytest.raises(OSError, match="directory"):
        Hashing(tmp_path).result()
