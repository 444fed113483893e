# SPDX-License-Identifier: Apache-2.0
"""Two builds that differ are told apart, by the file in which they do."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.deploy.wheel.twins import differences

WHEEL, SDIST = "tabard-1-py3-none-any.whl", "tabard-1.tar.gz"
USUAL = (1980, 1, 1, 0, 0, 0)


def build(
    folder: Path, *, text: str = "x", when: tuple[int, ...] = USUAL, mode: int = 0o644
) -> Path:
    """Write a wheel of one file."""
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        member = zipfile.ZipInfo("tabard/a.py", date_time=when)  # type: ignore[arg-type]
        member.external_attr = mode << 16
        archive.writestr(member, text)
    return folder


def test_equal_builds_pass(tmp_path: Path) -> None:
    """The same bytes at two places."""
    assert differences(build(tmp_path / "one"), build(tmp_path / "other")) == []


@pytest.mark.parametrize(
    "other", [{"text": "y"}, {"when": (1990, 1, 1, 0, 0, 0)}, {"mode": 0o600}], ids=str
)
def test_difference_names_its_file(tmp_path: Path, other: dict[str, object]) -> None:
    """Other bytes, another time, other rights: each is a difference."""
    one, two = build(tmp_path / "one"), build(tmp_path / "other", **other)  # type: ignore[arg-type]

    assert differences(one, two) == [f"{WHEEL}: tabard/a.py"]


def test_packing_is_a_difference(tmp_path: Path) -> None:
    """The same files in archives that are not the same."""
    one, two = build(tmp_path / "one"), build(tmp_path / "other")
    with zipfile.ZipFile(two / WHEEL, "a") as archive:
        archive.comment = b"later"

    assert differences(one, two) == [f"{WHEEL}: the same files, packed in another way"]


def test_sdist_is_looked_into(tmp_path: Path) -> None:
    """An sdist is compared as a wheel is, and one that is missing is told."""
    one, two = build(tmp_path / "one"), build(tmp_path / "other")
    for folder, mtime in ((one, 1), (two, 2)):
        with tarfile.open(folder / SDIST, "w:gz") as archive:
            member = tarfile.TarInfo("tabard-1/a.py")
            member.mtime = mtime
            archive.addfile(member)

    assert differences(one, two) == [f"{SDIST}: tabard-1/a.py"]
    (two / SDIST).unlink()
    assert differences(one, two) == [f"{SDIST} was built once"]


def test_nothing_built_is_told(tmp_path: Path) -> None:
    """Two empty folders are no success."""
    (tmp_path / "one").mkdir()

    assert differences(tmp_path / "one", tmp_path / "one") == ["nothing was built"]
