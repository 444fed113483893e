# SPDX-License-Identifier: Apache-2.0
"""Pictures that were drawn are found again, whole; damaged ones are not, and there is a bound."""

import os
from pathlib import Path

from tabard_registry import sha256_bytes
from tabard_server.evaluation.picture_cache import PictureCache


def test_kept_picture_is_found_again(tmp_path: Path) -> None:
    """What one process kept, the next one finds."""
    PictureCache(tmp_path / "pictures", bytes_max=1_000).put("a", b"picture")

    found = PictureCache(tmp_path / "pictures", bytes_max=1_000).get("a")

    assert found == b"picture"


def test_unknown_picture_is_none(tmp_path: Path) -> None:
    """Where nothing was kept, nothing is found, and no folder is made."""
    assert PictureCache(tmp_path / "pictures", bytes_max=1_000).get("a") is None
    assert not (tmp_path / "pictures").exists()


def test_damaged_picture_is_none(tmp_path: Path) -> None:
    """A file that lost its end to a crash is as good as none."""
    cache = PictureCache(tmp_path, bytes_max=1_000)
    cache.put("a", b"picture")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])

    assert cache.get("a") is None


def test_oldest_picture_goes_first(tmp_path: Path) -> None:
    """Above the bound the picture goes that was used longest ago."""
    cache = PictureCache(tmp_path, bytes_max=300)
    for used, name in enumerate("abc"):
        cache.put(name, name.encode() * 60)
        os.utime(tmp_path / f"{name}.picture", (used, used))
    assert cache.get("a") is not None

    cache.put("d", b"d" * 60)

    assert cache.get("b") is None
    assert cache.get("a") == b"a" * 60
    assert cache.get("d") == b"d" * 60


def test_pictures_of_a_purged_release_go(tmp_path: Path) -> None:
    """Those of others stay."""
    cache = PictureCache(tmp_path, bytes_max=1_000)
    mine, other = (sha256_bytes(name) for name in (b"mine", b"other"))
    for key in (f"{mine.hex}.a", f"{mine.hex}.b", f"{other.hex}.a", "base"):
        cache.put(key, b"picture")

    cache.forget(mine)
    cache.forget(mine)

    kept = [cache.get(key) for key in (f"{mine.hex}.a", f"{mine.hex}.b")]
    assert kept == [None, None]
    assert cache.get(f"{other.hex}.a") == cache.get("base") == b"picture"


def test_full_disk_is_no_error(tmp_path: Path) -> None:
    """A folder that cannot be made only means that pictures are drawn again."""
    (tmp_path / "file").write_bytes(b"")
    cache = PictureCache(tmp_path / "file" / "pictures", bytes_max=300)

    cache.put("a", b"picture")

    assert cache.get("a") is None
