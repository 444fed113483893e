# SPDX-License-Identifier: Apache-2.0
"""What a file is by its first bytes, for people whose file is not a safetensors file."""

from __future__ import annotations

SNIFF_BYTES = 64
"""How many first bytes are looked at."""

_PICKLE_REMEDY = (
    "A pickle can run code when it is read, so Tabard does not read it. Convert it to safetensors "
    "with a tool you trust, for example the trainer's own export."
)
_EXPORT_REMEDY = "Send the .safetensors file itself."
_DOWNLOAD_REMEDY = "Download the file again; the address gave a page instead of the file."

_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive, as torch.save writes for .pt, .ckpt and .bin", _PICKLE_REMEDY),
    (b"\x89PNG", "a PNG image", _EXPORT_REMEDY),
    (b"\xff\xd8\xff", "a JPEG image", _EXPORT_REMEDY),
    (b"RIFF", "a WebP image or another RIFF file", _EXPORT_REMEDY),
    (b"GGUF", "a GGUF model", _EXPORT_REMEDY),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and send the .safetensors file inside."),
    (b"version https://git-lfs", "a git-lfs pointer", "Run `git lfs pull` and send the real file."),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


def describe_stranger(start: bytes) -> tuple[str, str] | None:
    """Name what a file is and what to do, or None when it may be a safetensors file.

    Args:
        start: The first `SNIFF_BYTES` bytes.
    """
    if start[4:9] == b"\0\0\0\0{":
        return None
    for signature, what, remedy in _SIGNATURES:
        if start.startswith(signature):
            return what, remedy
    if is_bare_pickle(start):
        return "a Python pickle, as torch.save writes for .pt, .ckpt and .bin", _PICKLE_REMEDY
    return _describe_text(start)


def is_bare_pickle(start: bytes) -> bool:
    """Whether a file begins like a pickle that no archive holds."""
    return len(start) > 2 and start[0] == 0x80 and start[1] in range(2, 6)


def _describe_text(start: bytes) -> tuple[str, str] | None:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_PAGES):
        return "an HTML page", _DOWNLOAD_REMEDY
    if text.startswith((b"{", b"[")):
        return "a JSON text", _EXPORT_REMEDY
    if start[8:9] == b"{":
        return None
    return "not a safetensors file", _EXPORT_REMEDY
