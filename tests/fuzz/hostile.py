# SPDX-License-Identifier: Apache-2.0
"""Files made by hand to hurt whoever reads them: bombs in a few megabytes, and what they must get.

Run as a program it checks them, where others wrote them, in a process with little memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tabard_registry import check
from tests.fuzz.document import assemble, to_text
from tests.fuzz.memory import bounded, peak_bytes
from tests.fuzz.seeds import PROFILE, SEEDS

_MEGABYTE = 1 << 20
_FULL = 8 * _MEGABYTE - 64
"""Just below the longest header that is read."""
_ROW = {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}


def _repeated(piece: bytes) -> bytes:
    return b",".join([piece] * ((_FULL - 16) // (len(piece) + 1)))


def _keys(value: bytes) -> bytes:
    pieces, length, number = [], 0, 0
    while length < _FULL - 64:
        pieces.append(b'"%d":%b' % (number, value))
        length += len(pieces[-1]) + 1
        number += 1
    return b"{" + b",".join(pieces) + b"}"


def _many_tensors(count: int) -> bytes:
    rows = {
        f"lora_unet_{n}.lora_up.weight": {**_ROW, "data_offsets": [2 * n, 2 * n + 2]}
        for n in range(count)
    }
    return assemble(to_text(rows), bytes(2 * count))


def _long_metadata() -> bytes:
    document = SEEDS["kohya"]
    header = document.header() | {"__metadata__": {"ss_tag_frequency": "x" * (6 * _MEGABYTE)}}
    return assemble(to_text(header), document.data())


def _longer_metadata() -> bytes:
    document = SEEDS["kohya"]
    text = {"ss_tag_frequency": "\\" * (10 * _MEGABYTE)}
    return assemble(to_text(document.header() | {"__metadata__": text}), document.data())


def _aliases(count: int) -> bytes:
    """Let many tensors lie over the same few bytes."""
    return assemble(to_text({f"t{n}.lora_up.weight": _ROW for n in range(count)}), b"\0\0")


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "lists in a list": (lambda: assemble(b'{"a":[' + _repeated(b"[]") + b"]}", b""), "BAD_HEADER"),
    "tables in a list": (lambda: assemble(b'{"a":[' + _repeated(b"{}") + b"]}", b""), "BAD_HEADER"),
    "numbers in a list": (lambda: assemble(b'{"a":[' + _repeated(b"0") + b"]}", b""), "BAD_HEADER"),
    "keys without end": (lambda: assemble(_keys(b"{}"), b""), "BAD_HEADER"),
    "one key": (lambda: assemble(b'{"' + b"a" * (_FULL - 16) + b'":{}}', b""), "BAD_HEADER"),
    "one number": (lambda: assemble(b'{"a":' + b"9" * (_FULL - 16) + b"}", b""), "BAD_HEADER"),
    "deep lists": (lambda: assemble(b'{"a":' + b"[" * (_FULL - 16), b""), "BAD_HEADER"),
    "deep tables": (lambda: assemble(b'{"a":' * (_FULL // 5 - 8), b""), "BAD_HEADER"),
    "spaces": (lambda: assemble(b"{" + b" " * (_FULL - 16) + b"}", b""), "EMPTY"),
    "escapes": (
        lambda: assemble(b'{"' + b"\\u0041" * (_FULL // 6 - 8) + b'":{}}', b""),
        "BAD_HEADER",
    ),
    "too many tensors": (lambda: _many_tensors(20_001), "BAD_HEADER"),
    "as many tensors as are taken": (lambda: _many_tensors(20_000), "UNKNOWN_KEYS"),
    "tensors over each other": (lambda: _aliases(20_000), "BAD_HEADER"),
    "a long text": (_long_metadata, ""),
    "a text longer than what is parsed": (_longer_metadata, ""),
    "a longer header": (lambda: assemble(b"{" + b" " * 8 * _MEGABYTE, b""), "HEADER_TOO_LONG"),
}
"""By name: what makes the file, and the reason that it is refused with; empty: it is taken."""


def write_all(folder: Path) -> None:
    """Write every file."""
    for name, (make, _reason) in HOSTILE.items():
        (folder / name).write_bytes(make())


def main(folder: Path) -> int:
    """Check every file of a folder; print what came of it and the most memory that it took."""
    bounded()
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        problems = check([path], profile=PROFILE).report.problems
        found[path.name] = next((p.reason for p in problems if not p.is_warning), "")
    print(json.dumps({"reasons": found, "peak_bytes": peak_bytes()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
