# SPDX-License-Identifier: Apache-2.0
"""Where drawn pictures are kept: in a folder that is known to take them before anything is drawn.

Each is written when it comes, under a name that nothing has yet. What the folder takes no longer
is kept elsewhere: nothing that was drawn is lost.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

from tabard.calls.local_files import writing
from tabard.errors import Internal

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_NUMBER_MAX = 10_000
_SLUG_LENGTH_MAX = 40
_ELSEWHERE = "tabard-images-"


def slug(text: str) -> str:
    """Make the beginning of a file's name of a prompt."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words[:_SLUG_LENGTH_MAX].rstrip("-") or "image"


class Gallery:
    """A folder of pictures; its first failure makes it another folder, and is remembered.

    Attributes:
        files: What was written, in the order in which it came.
        failure: Why the folder that was asked for took no more, if that happened.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder, and see that it can be written to.

        Raises:
            FailedPrecondition: It cannot.
        """
        with writing(folder, hint="name another folder; nothing was drawn"):
            self._made = [one for one in (folder, *folder.parents) if not one.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        self.folder = folder
        self.files: list[Path] = []
        self.failure = ""

    def keep(self, name: str, content: bytes) -> Path:
        """Write a picture under a name, numbered when another one lies there; give its path.

        Raises:
            Internal: Neither the folder takes it, nor one for temporary files.
        """
        try:
            path = _written(self.folder / name, content)
        except OSError as error:
            path = self._kept_elsewhere(name, content, error=error)
        self.files.append(path)
        return path

    def leave(self) -> None:
        """Remove the folders that were made for pictures, if none came."""
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def check(self) -> None:
        """Tell where the pictures are, if not where they should be.

        Raises:
            Internal: The folder that was asked for did not take all of them.
        """
        if self.failure:
            raise Internal(
                f"not every picture could be written where it should be: {self.failure}",
                reason="PICTURES_ELSEWHERE",
                hint=f"nothing is lost: the others are in {self.folder}",
            )

    def _kept_elsewhere(self, name: str, content: bytes, *, error: OSError) -> Path:
        failure = self.failure or f"{self.folder / name}: {error.strerror or error}"
        try:
            is_elsewhere = bool(self.failure)
            folder = self.folder if is_elsewhere else Path(tempfile.mkdtemp(prefix=_ELSEWHERE))
            path = _written(folder / name, content)
        except OSError as last:
            raise Internal(
                f"a picture could be written nowhere: {failure}; "
                f"nor elsewhere: {last.strerror or last}",
                reason="PICTURE_LOST",
                hint="make room, then draw it again with the same seed",
            ) from last
        self.folder, self.failure = folder, failure
        return path


def _written(path: Path, content: bytes) -> Path:
    """Write a file that was not there; one with the same content is as good."""
    for number in range(1, _NUMBER_MAX):
        candidate = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            descriptor = os.open(
                candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666
            )
        except FileExistsError:
            if candidate.is_file() and candidate.read_bytes() == content:
                return candidate
            continue
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
        except OSError:
            candidate.unlink(missing_ok=True)
            raise
        return candidate
    raise FileExistsError(f"{path} exists, and so do all its numbers")
