# SPDX-License-Identifier: Apache-2.0
"""Whether two builds are the same to the byte, and if not, in which files of theirs.

Two folders in, sentences out.
"""

import tarfile
import zipfile
from pathlib import Path


def differences(one: Path, other: Path) -> list[str]:
    """Return what differs between two folders of wheels and sdists."""
    names = sorted({path.name for folder in (one, other) for path in folder.iterdir()})
    found = [] if names else ["nothing was built"]
    for name in names:
        if not (one / name).is_file() or not (other / name).is_file():
            found.append(f"{name} was built once")
        elif (one / name).read_bytes() != (other / name).read_bytes():
            found += [f"{name}: {told}" for told in _within(one / name, other / name)]
    return found


def _within(one: Path, other: Path) -> list[str]:
    mine, theirs = _members(one), _members(other)
    names = sorted(mine.keys() | theirs.keys())
    told = [name for name in names if mine.get(name) != theirs.get(name)]
    return told or ["the same files, packed in another way"]


def _members(path: Path) -> dict[str, object]:
    """Return what an archive says of each of its files: attributes and bytes."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return {
                one.filename: (one.date_time, one.external_attr, archive.read(one))
                for one in archive.infolist()
            }
    with tarfile.open(path) as archive:
        return {one.name: (one.mtime, one.mode, _bytes(archive, one)) for one in archive}


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member) if member.isfile() else None
    return file.read() if file else b""
