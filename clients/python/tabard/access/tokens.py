# SPDX-License-Identifier: Apache-2.0
"""The text of a token, from wherever it is said. It is looked at, and never shown.

In: a text, or a file that holds one. Out: the token, or an error that says what is wrong with it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tabard.errors import InvalidArgument, Unauthenticated

TOKEN_BYTES_MAX = 8 * 1024
"""More than any token has, and all that gRPC surely takes beside a call."""

_ADVICE = "give it as it was printed, on one line and without quotes"


def read_token(text: str, *, said_by: str) -> str:
    """Give a token that can be sent.

    Args:
        text: The token, and nothing else.
        said_by: Who says it, for the error.

    Raises:
        Unauthenticated: It cannot be one.
    """
    if not text:
        raise _malformed(f"the token of {said_by} is empty", _ADVICE)
    if len(text) > TOKEN_BYTES_MAX:
        raise _malformed(
            f"the token of {said_by} is longer than the {TOKEN_BYTES_MAX} bytes of any token",
            "see whether it is the right file, or variable",
        )
    if "\n" in text or "\r" in text:
        raise _malformed(f"the token of {said_by} has a line break", _ADVICE)
    if not all("!" <= char <= "~" for char in text):
        raise _malformed(
            f"the token of {said_by} has spaces, or letters that no token has", _ADVICE
        )
    return text


def read_token_file(path: Path) -> str:
    """Give the token that a file holds; the line break at its end is none of it.

    Raises:
        InvalidArgument: The file cannot be read.
        Unauthenticated: It holds no token.
    """
    try:
        with path.open("rb", buffering=0) as file:
            content = _first_bytes(file.fileno(), TOKEN_BYTES_MAX + 3)
    except OSError as error:
        raise InvalidArgument(
            f"the token file '{path}' cannot be read: {error.strerror or error}",
            reason="FILE_UNREADABLE",
            hint="check its name, and who may read it",
        ) from error
    text = content.decode("ascii", "replace").removesuffix("\n").removesuffix("\r")
    return read_token(text, said_by=f"the file '{path}'")


def can_be_read_again(path: Path) -> bool:
    """Say whether a file holds its token still when it was read: a pipe does not."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _first_bytes(descriptor: int, bytes_max: int) -> bytes:
    """Read so many bytes of what may be a pipe, which gives them in parts."""
    found = b""
    while len(found) < bytes_max and (part := os.read(descriptor, bytes_max - len(found))):
        found += part
    return found


def _malformed(message: str, hint: str) -> Unauthenticated:
    return Unauthenticated(message, reason="TOKEN_MALFORMED", hint=hint)
