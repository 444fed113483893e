# SPDX-License-Identifier: Apache-2.0
"""Digests: sha256 of bytes, as a value. Knows nothing of what the bytes mean."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from tabard_registry.errors import InvalidName
from tabard_registry.regular_file import open_regular

_HEX = re.compile(r"[0-9a-f]{64}")


class Digest(msgspec.Struct, frozen=True, order=True, gc=False):
    """A sha256. `str()` gives `sha256:<64 hex>`.

    A registry has millions, so garbage collection is told to leave them alone.

    Attributes:
        hex: 64 lower-case hexadecimal digits.

    Raises:
        InvalidName: `hex` is anything else.
    """

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise InvalidName(
                f"not a sha256 digest: {self.hex[:80]!r}",
                reason="INVALID_DIGEST",
                hint="Write `sha256:` and 64 lower-case hexadecimal digits.",
            )

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `sha256:<64 hex>`.

        Raises:
            InvalidName: The text is anything else.
        """
        scheme, _, digits = text.partition(":")
        return cls(digits if scheme == "sha256" else text)

    @property
    def short(self) -> str:
        """The first 12 digits with the scheme: enough for a person, and a valid selector."""
        return f"sha256:{self.hex[:12]}"

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


def sha256_bytes(content: bytes) -> Digest:
    """Hash bytes."""
    return Digest(hashlib.sha256(content).hexdigest())


def sha256_file(path: Path) -> Digest:
    """Hash a file in bounded memory.

    Raises:
        OSError: The file cannot be read.
    """
    with open_regular(path) as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())
