# SPDX-License-Identifier: Apache-2.0
"""Pictures are kept: where they should be, or elsewhere, and never in place of others."""

from pathlib import Path

import pytest

from tabard.cli.commands.generate import gallery as gallery_module
from tabard.cli.commands.generate.gallery import Gallery, slug
from tabard.errors import FailedPrecondition, Internal


def test_folder_is_made_before_anything_is_drawn(tmp_path: Path) -> None:
    """However deep."""
    Gallery(tmp_path / "a" / "b")

    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_folder_that_takes_nothing_is_told_at_once(tmp_path: Path) -> None:
    """A file is no folder."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(FailedPrecondition, match="file cannot be written") as caught:
        Gallery(tmp_path / "file")

    assert caught.value.reason == "FOLDER_UNWRITABLE"


def test_folder_is_left_as_it_was_found(tmp_path: Path) -> None:
    """What was made for pictures goes when none came, and nothing else does."""
    (tmp_path / "there").mkdir()

    Gallery(tmp_path / "there").leave()
    Gallery(tmp_path / "a" / "b").leave()
    kept = Gallery(tmp_path / "c" / "d")
    kept.keep("x.png", b"one")
    kept.leave()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "there"]
    assert kept.files[0].read_bytes() == b"one"


def test_picture_that_nothing_takes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its name, and that the other folder failed, too."""

    def write(path: Path, content: bytes) -> Path:
        raise OSError(27, "File too large")

    monkeypatch.setattr(gallery_module.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(gallery_module, "_written", write)

    with pytest.raises(Internal) as caught:
        Gallery(tmp_path / "out").keep("x.png", b"one")

    assert f"{tmp_path / 'out' / 'x.png'}: File too large; nor elsewhere" in str(caught.value)
    assert caught.value.reason == "PICTURE_LOST"


def test_names_are_numbered_and_nothing_is_replaced(tmp_path: Path) -> None:
    """Equal content is there already; other content gets a name of its own."""
    gallery = Gallery(tmp_path)

    paths = [gallery.keep("x.png", content) for content in (b"one", b"one", b"two", b"three")]

    assert [path.name for path in paths] == ["x.png", "x.png", "x-2.png", "x-3.png"]
    assert [path.read_bytes() for path in paths] == [b"one", b"one", b"two", b"three"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link of that name leads elsewhere; what it leads to stays."""
    (tmp_path / "x.png").symlink_to(tmp_path / "elsewhere")

    path = Gallery(tmp_path).keep("x.png", b"one")

    assert (path.name, (tmp_path / "elsewhere").exists()) == ("x-2.png", False)


def test_pictures_are_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder goes away after the first, the second is in another one, which is said."""
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(gallery_module.tempfile, "tempdir", str(spare))
    gallery = Gallery(tmp_path / "out")
    first = gallery.keep("x.png", b"one")
    gallery.check()
    first.unlink()
    (tmp_path / "out").rmdir()

    second = gallery.keep("y.png", b"two")

    assert (second.read_bytes(), second.parent.parent) == (b"two", spare)
    with pytest.raises(Internal, match="could be written") as caught:
        gallery.check()
    assert str(second.parent) in caught.value.hint


def test_slug_is_a_name_everywhere() -> None:
    """Short, without anything that a file system or a shell minds."""
    assert slug("A red circle: 100%!") == "a-red-circle-100"
    assert slug("…") == "image"
    assert len(slug("word " * 50)) <= 40
