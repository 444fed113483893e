# SPDX-License-Identifier: Apache-2.0
"""Many pictures at once: a folder of them, or some that somebody has, each with a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabard.errors import FieldViolation, InvalidArgument
from tabard.pictures.png_text import SHEET_KEYWORD, read_texts
from tabard.pictures.sources import PictureSource, read_picture

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""What files of a folder are taken for pictures."""


def picture_sources(
    said: str | Path | Sequence[PictureSource], *, name: str
) -> list[tuple[str, PictureSource]]:
    """Give what somebody calls each picture, and where it is; of a folder by name.

    A contact sheet that Tabard drew into the folder is no picture of it, as its text says.

    Args:
        said: A folder, or pictures.
        name: Of the parameter, for the error.

    Raises:
        InvalidArgument: There is no such folder, or no picture in it.
    """
    if not isinstance(said, (str, Path)):
        return [(_name(one, place), one) for place, one in enumerate(said)]
    folder = Path(said)
    if not folder.is_dir():
        raise _refused(
            name, f"{name}: there is no folder '{folder}'", hint="name a folder of pictures"
        )
    named = sorted(one for one in folder.iterdir() if one.suffix.lower() in PICTURE_SUFFIXES)
    files = [one for one in named if not _is_sheet(one, name=name)]
    if not files:
        raise _refused(
            name,
            f"{name}: there is no picture in '{folder}'"
            + (", but contact sheets" if named else ""),
            hint=f"known names end in {', '.join(PICTURE_SUFFIXES)}",
        )
    return [(one.name, one) for one in files]


def _is_sheet(file: Path, *, name: str) -> bool:
    if file.suffix.lower() != ".png" or not file.is_file():
        return False
    try:
        return SHEET_KEYWORD in read_texts(read_picture(file, name=name))
    except InvalidArgument:
        # Whoever looks at its pixels says what is wrong with it.
        return False


def _name(source: PictureSource, place: int) -> str:
    return Path(source).name if isinstance(source, (str, Path)) else f"picture {place}"


def _refused(name: str, message: str, *, hint: str) -> InvalidArgument:
    violation = FieldViolation(field=name, description=message)
    return InvalidArgument(message, reason="FILE_NOT_FOUND", hint=hint, violations=(violation,))
