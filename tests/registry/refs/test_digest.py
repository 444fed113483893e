# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry.errors import InvalidName
from tabard_registry.refs.digest import Digest, sha256_bytes, sha256_file


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


def test_digest_survives_its_text() -> None:
    """A digest is what its text says."""
    digest = sha256_bytes(b"tabard")

    assert Digest.parse(str(digest)) == digest
    assert str(digest).startswith("sha256:")


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "a" * 64])
def test_other_digest_is_refused(text: str) -> None:
    """Only sha256 in lower-case hexadecimal is a digest."""
    with pytest.raises(InvalidName):
        Digest.parse(text)
