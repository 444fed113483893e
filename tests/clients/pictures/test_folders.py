# SPDX-License-Identifier: Apache-2.0
"""Many pictures, as people have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tabard.cli.contact_sheet import SheetRow, contact_sheet, sheet_png
from tabard.errors import InvalidArgument
from tabard.pictures.folders import picture_sources


def test_folder_is_read_by_name(tmp_path: Path) -> None:
    """What has a picture's name, in any case; the rest is passed over."""
    for name in ("b.PNG", "a.jpeg", "notes.txt", "c.webp"):
        (tmp_path / name).write_bytes(b"x")

    found = picture_sources(tmp_path, name="references")

    assert [name for name, _path in found] == ["a.jpeg", "b.PNG", "c.webp"]
    assert found[0][1] == tmp_path / "a.jpeg"


def test_contact_sheet_is_no_picture(tmp_path: Path) -> None:
    """What Tabard drew of the pictures is left out, whatever its name; other files are not."""
    picture = Image.new("RGB", (8, 8))
    picture.save(tmp_path / "cat.png")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    sheet = sheet_png(contact_sheet([SheetRow(label="x", images=(picture,))]))
    (tmp_path / "a.png").write_bytes(sheet)

    found = picture_sources(tmp_path, name="references")

    assert [name for name, _path in found] == ["cat.png", "cut.png"]


def test_folder_of_sheets_is_refused(tmp_path: Path) -> None:
    """And says that sheets are all it holds."""
    sheet = contact_sheet([SheetRow(label="x", images=(Image.new("RGB", (8, 8)),))])
    (tmp_path / "sheet.png").write_bytes(sheet_png(sheet))

    with pytest.raises(InvalidArgument, match="but contact sheets"):
        picture_sources(tmp_path, name="references")


def test_pictures_have_names() -> None:
    """Their files', or their place."""
    found = picture_sources(["x/cat.png", Path("dog.png"), b"bytes"], name="references")

    assert [name for name, _source in found] == ["cat.png", "dog.png", "picture 2"]


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_nothing_is_refused(tmp_path: Path, name: str) -> None:
    """No folder, or none with a picture."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(InvalidArgument) as refused:
        picture_sources(tmp_path / name, name="references")

    assert refused.value.reason == "FILE_NOT_FOUND"
    assert refused.value.violations[0].field == "references"
