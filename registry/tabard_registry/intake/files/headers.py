# SPDX-License-Identifier: Apache-2.0
"""Reads the header of a safetensors file within bounds of memory and time, however long it is.

An open file comes in; JSON of a few megabytes goes out. Trainers write whole lists of tags into
single texts: where a header is long, such texts are cut, and what is cut off is not looked at.
"""

from __future__ import annotations

import mmap
import re
from typing import BinaryIO

KEPT_BYTES_MAX = 8 << 20
"""How much of a header is parsed."""
TEXT_BYTES_MAX = 64 << 10
"""What is kept of one text in a longer header."""

_PLAIN_BYTES = 1 << 20
"""Headers up to this size are parsed whatever they hold."""
_PIECES_MAX = 250_000
"""Of lists, tables and their members, and of texts. A tensor has eight or so of each."""
_BODY = re.compile(rb'(?:[^"\\]{1,64}+|\\.){0,16384}+', re.DOTALL)
"""Some of a text: a search that went on to its end would keep other threads waiting."""
_WHOLE_CHARACTERS = re.compile(rb'(?:[^"\\]{1,64}+|\\u[0-9a-fA-F]{4}|\\[^u])*+', re.DOTALL)
_HALF_A_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_QUOTE = ord('"')


class BadHeader(ValueError):
    """The header breaks the format or a bound; the text says how.

    Attributes:
        reason: Stable UPPER_SNAKE code.
    """

    def __init__(self, message: str, *, reason: str = "BAD_HEADER") -> None:
        super().__init__(message)
        self.reason = reason


def read_header(file: BinaryIO, *, start: int, header_bytes: int) -> bytes:
    """Return the JSON of a header, the long texts of a long one cut.

    Args:
        file: The file, which is at least so long.
        start: Where the header begins.
        header_bytes: Its length.

    Raises:
        BadHeader: It falls into too many pieces, or is too long without its long texts.
        OSError: The file cannot be read.
    """
    if header_bytes <= _PLAIN_BYTES:
        file.seek(start)
        return file.read(header_bytes)
    text_bytes_max = header_bytes if header_bytes <= KEPT_BYTES_MAX else TEXT_BYTES_MAX
    with mmap.mmap(file.fileno(), start + header_bytes, access=mmap.ACCESS_READ) as pages:
        return _shortened(pages, start=start, text_bytes_max=text_bytes_max)


def _shortened(pages: mmap.mmap, *, start: int, text_bytes_max: int) -> bytes:
    kept = bytearray()
    position, pieces, texts = start, 0, 0
    while position < len(pages):
        # A search through all that is left would keep other threads waiting, and end in a refusal.
        limit = min(len(pages), position + KEPT_BYTES_MAX + 1)
        quote = pages.find(b'"', position, limit)
        end = limit if quote < 0 else quote
        _check_length(len(kept) + end - position)
        between = pages[position:end]
        kept += between
        pieces += between.count(b"[") + between.count(b"{") + between.count(b",")
        if max(pieces, texts) > _PIECES_MAX:
            raise BadHeader(f"it falls into more than {_PIECES_MAX} pieces")
        if quote < 0:
            break
        texts += 1
        position = _end_of_text(pages, quote + 1)
        if position - quote > text_bytes_max:
            kept += b'"' + _cut(pages, quote + 1, bytes_max=text_bytes_max) + b'"'
        else:
            kept += pages[quote:position]
        _check_length(len(kept))
    return bytes(kept)


def _check_length(count: int) -> None:
    if count > KEPT_BYTES_MAX:
        raise BadHeader(
            f"it has more than {KEPT_BYTES_MAX} bytes without its longest texts",
            reason="HEADER_TOO_LONG",
        )


def _end_of_text(pages: mmap.mmap, position: int) -> int:
    """Return where a text ends, behind its quotation mark."""
    while True:
        found = _BODY.match(pages, position)
        end = position if found is None else found.end()
        if end < len(pages) and pages[end] == _QUOTE:
            return end + 1
        if end == position:
            raise BadHeader("a text in it has no end")
        position = end


def _cut(pages: mmap.mmap, start: int, *, bytes_max: int) -> bytes:
    """Return the beginning of a text, no character or escape of it halved."""
    found = _WHOLE_CHARACTERS.match(pages, start, start + bytes_max)
    head = b"" if found is None else found[0]
    while head and head[-1] & 0xC0 == 0x80:
        head = head[:-1]
    return _HALF_A_PAIR.sub(b"", head[:-1] if head and head[-1] >= 0xC0 else head)
