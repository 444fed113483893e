# SPDX-License-Identifier: Apache-2.0
"""Pickles made to do harm, by name: each writes one file. Whatever runs creates the canary."""

import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

MEBIBYTE = 1 << 20


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: str, *arguments: object) -> None:
        self._function, self._arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        module, _, name = self._function.rpartition(".")
        found = getattr(__import__(module, fromlist=[name]), name)
        return found, self._arguments


class Sets:
    """Pickles as an object whose state is set by a call."""

    def __init__(self, payload: Calls) -> None:
        self.payload = payload

    def __reduce__(self) -> tuple[object, ...]:
        return list, (), None, iter([self.payload])


def _zip(path: Path, document: object) -> None:
    torch.save(document, path)


def _legacy(path: Path, document: object) -> None:
    torch.save(document, path, _use_new_zipfile_serialization=False)


def _stream(path: Path, body: bytes) -> None:
    """Write opcodes as torch's zip archive has them."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + body)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")


def _nested(path: Path, document: object) -> None:
    inner = io.BytesIO()
    torch.save(document, inner)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", inner.getvalue())
        archive.writestr("archive/version", b"3\n")


def _tar(path: Path, document: object) -> None:
    with tarfile.open(path, "w") as archive:
        content = pickle.dumps(document)
        member = tarfile.TarInfo("pickle")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def _zip_bomb(path: Path) -> None:
    """A megabyte that unfolds to four hundred."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as file:
            for _ in range(400):
                file.write(bytes(MEBIBYTE))
        archive.writestr("archive/version", b"3\n")


def _huge_storage(path: Path) -> None:
    """A storage that says it has a terabyte, and has four bytes."""
    good = io.BytesIO()
    torch.save({"<a>": torch.zeros(65535)}, good)
    content = good.getvalue().replace(struct.pack("<H", 65535), struct.pack("<H", 65534))
    path.write_bytes(content)


Writer = Callable[[Path, str], None]


def _call(function: str, *arguments: object) -> Callable[[str], Calls]:
    return lambda touch: Calls(function, *(a if a is not None else touch for a in arguments))


def _writes(write: Callable[[Path, object], None], payload: Callable[[str], object]) -> Writer:
    return lambda path, touch: write(path, {"<a>": torch.zeros(2, 3), "<b>": payload(touch)})


_SYSTEM = _call("os.system", None)
_EVAL = lambda touch: Calls("builtins.eval", f"__import__('os').system({touch!r})")  # noqa: E731
_EXEC = lambda touch: Calls("builtins.exec", f"import os; os.system({touch!r})")  # noqa: E731
_POPEN = lambda touch: Calls("subprocess.Popen", ["sh", "-c", touch])  # noqa: E731

RUNS_CODE: Mapping[str, Writer] = {
    "system in a zip": _writes(_zip, _SYSTEM),
    "system in the old format": _writes(_legacy, _SYSTEM),
    "system in a bare pickle": lambda path, touch: (
        path.write_bytes(pickle.dumps({"<a>": _SYSTEM(touch)}, protocol=4)) and None
    ),
    "eval": _writes(_zip, _EVAL),
    "exec": _writes(_zip, _EXEC),
    "a process": _writes(_zip, _POPEN),
    "an attribute of an attribute": lambda path, touch: _stream(
        path, b"cos\nsystem\n(X" + struct.pack("<I", len(touch)) + touch.encode() + b"tR."
    ),
    "a getter": _writes(_zip, lambda touch: Calls("operator.attrgetter", "system")),
    "a state that calls": _writes(_zip, lambda touch: Sets(_SYSTEM(touch))),
    "torch itself": _writes(_zip, lambda touch: Calls("torch.hub.load", "x/y", touch)),
    "a zip in a zip": _writes(_nested, _SYSTEM),
    "a name that hides it": _writes(
        _zip, lambda touch: {"string_to_param": {"*": _SYSTEM(touch)}, "name": "x"}
    ),
}
"""Would run a command if anything unpickled them; all of them touch the canary."""

TAKES_ALL: Mapping[str, tuple[Writer, tuple[str, ...]]] = {
    "a zip bomb": (lambda path, touch: _zip_bomb(path), ("PICKLE_TOO_LARGE", "PICKLE_REFUSED")),
    "a tensor of a terabyte": (
        lambda path, touch: _zip(path, {"<a>": torch.zeros(1).expand(1 << 38)}),
        ("PICKLE_TOO_LARGE",),
    ),
    "a lying storage": (lambda path, touch: _huge_storage(path), ("PICKLE_REFUSED",)),
    "an array of a terabyte": (
        lambda path, touch: _stream(path, b"cbuiltins\nbytearray\n\x8a\x06\0\0\0\0\0\1\x85R."),
        ("PICKLE_TOO_LARGE", "PICKLE_REFUSED"),
    ),
    "a text that is not there": (
        lambda path, touch: _stream(path, b"X\xff\xff\xff\x7f."),
        ("PICKLE_TOO_LARGE", "PICKLE_REFUSED"),
    ),
    "a million levels": (
        lambda path, touch: _stream(path, b"N" + b"\x85" * 1_000_000 + b"."),
        ("PICKLE_TOO_LARGE", "PICKLE_REFUSED", "PICKLE_TIMEOUT"),
    ),
    "work without end": (
        lambda path, touch: _stream(path, b"N" + b"q\x00" * 30_000_000 + b"."),
        ("PICKLE_TIMEOUT",),
    ),
}
"""Want all memory or all time; the reasons that are right for each."""

NOT_TORCH: Mapping[str, Writer] = {
    "a tar of the oldest format": _writes(_tar, _SYSTEM),
    "a zip of something else": lambda path, touch: _stream(path, b"I42\n."),
    "half a file": lambda path, touch: path.write_bytes(b"PK\x03\x04" + b"\0" * 90) and None,
    "an empty zip": lambda path, touch: zipfile.ZipFile(path, "w").close(),
}
"""No embedding at all."""
