# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry.refs.digest import sha256_bytes, sha256_file


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1, 3_000_000])
def test_file_has_the_digest_of_its_bytes(size: int, tmp_path: Path) -> None:
    """However large it is."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))

    assert sha256_file(path) == sha256_bytes(path.read_bytes())


def test_unreadable_file_is_the_callers_error(tmp_path: Path) -> None:
    """Nothing is taken for an empty file."""
    with pytest.raises(OSError, match="directory"):
        sha256_file(tmp_path)
