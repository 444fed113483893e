# SPDX-License-Identifier: Apache-2.0
"""The side that asks: starts the sandbox on a file, waits within bounds, takes a bounded answer.

In: a pickled file. Out: the bytes of a safetensors file, not yet believed, or `PickleRefused`; also
where the sandbox cannot be sealed. Implements the registry's `PickleReader`. Blocking; any thread.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tabard_registry.intake.files.pickles import PickleRefused
from tabard_registry.regular_file import open_regular
from tabard_registry.scratch import Scratch

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""All that the sandbox is told of this machine."""

_CHUNK_BYTES = 1 << 16
_HEADER_BYTES = 1 << 20
_REASON_BYTES_MAX = 1000
_WORD_BYTES_MAX = 16
_FORBIDDEN = "it is a pickle, and it tried what reading data never does, so it was killed"
_PROGRAM = "tabard_server.pickles"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What one pickle may take.

    Attributes:
        bytes_max: Size of the file, and of the tensors in it.
        memory_bytes_max: Memory beyond what the program itself needs.
        seconds_max: Processor time to read it.
        wall_seconds_max: Time to read it by the clock; more, for a busy machine.
        start_seconds_max: Time until the sandbox is sealed; spent on imports, not on the file.
    """

    bytes_max: int = 256 << 20
    memory_bytes_max: int = 1 << 30
    seconds_max: int = 20
    wall_seconds_max: int = 60
    start_seconds_max: int = 120


def read_in_sandbox(path: Path, *, limits: SandboxLimits | None = None) -> bytes:
    """Return what a pickled file holds, as safetensors.

    Raises:
        PickleRefused: It is not what it should be, or takes too much; nothing of it ran here.
        OSError: The file cannot be read, or no process can be started.
    """
    with open_regular(path) as content:
        return _ask(content, limits=limits or SandboxLimits())


def examine_seal() -> str:
    """Say what the seal is made of here; a process is sealed to find out, and reads nothing.

    Raises:
        PickleRefused: Pickles are refused here, because it cannot be had.
        OSError: No process can be started.
    """
    with Path(os.devnull).open("rb") as nothing:
        return _ask(nothing, limits=SandboxLimits(bytes_max=0)).decode("ascii", "replace")


def _ask(content: IO[bytes], *, limits: SandboxLimits) -> bytes:
    with Scratch("sandbox") as scratch:
        process = subprocess.Popen(
            _command(limits),
            stdin=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=scratch.path,
            env=ENVIRONMENT,
            close_fds=True,
            start_new_session=True,
        )
        try:
            return _answer(process, limits=limits)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _command(limits: SandboxLimits) -> list[str]:
    numbers = (limits.bytes_max, limits.memory_bytes_max, limits.seconds_max)
    return [sys.executable, "-I", "-B", "-m", _PROGRAM, *map(str, numbers)]


def _answer(process: "subprocess.Popen[bytes]", *, limits: SandboxLimits) -> bytes:
    stream = _Stream(process, bytes_max=limits.bytes_max + _HEADER_BYTES)
    word = stream.line(seconds=limits.start_seconds_max)
    if word == b"unsealed":
        raise _unsealed(stream.rest())
    if word != b"ready":
        raise PickleRefused(
            "PICKLE_REFUSED",
            "the process that reads pickles did not start, so it was not read",
            remedy="Look whether torch can be imported here, and whether memory is left. Or: "
            "convert it to safetensors with a tool you trust.",
        )
    stream.allow(limits.wall_seconds_max)
    word, rest = stream.line(), stream.rest()
    if word == b"ok":
        return rest
    if word == b"large":
        raise PickleRefused("PICKLE_TOO_LARGE", _printable(rest))
    if word == b"refused":
        raise PickleRefused("PICKLE_REFUSED", f"it is a pickle, and {_printable(rest)}")
    raise _died(process)


def _unsealed(said: bytes) -> PickleRefused:
    detail, remedy = map(_printable, said.partition(b"\n")[::2])
    return PickleRefused(
        "PICKLE_SEAL_UNAVAILABLE",
        f"pickles can run code, and the process that reads them cannot be sealed here: {detail}",
        remedy=f"{remedy} Or: convert it to safetensors with a tool you trust.".strip(),
    )


def _died(process: "subprocess.Popen[bytes]") -> PickleRefused:
    code = process.wait(timeout=10)
    if code == -signal.SIGSYS:
        return PickleRefused("PICKLE_REFUSED", _FORBIDDEN)
    # Out of processor time: the kernel says SIGXCPU, and at the hard limit SIGKILL.
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return PickleRefused("PICKLE_TIMEOUT", "reading it took too much time")
    return PickleRefused("PICKLE_REFUSED", f"the process that read it died of it ({code})")


def _printable(said: bytes) -> str:
    text = said[:_REASON_BYTES_MAX].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else " " for character in text)


class _Stream:
    """What a process says, byte by byte within bounds of size and time."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, bytes_max: int) -> None:
        assert process.stdout is not None
        self._fd = process.stdout.fileno()
        self._bytes_left = bytes_max
        self._until = 0.0
        self._kept = bytearray()

    def allow(self, seconds: float) -> None:
        """Give it so much time from now on."""
        self._until = time.monotonic() + seconds

    def line(self, *, seconds: float | None = None) -> bytes:
        """Return what comes before the next line break; empty when there is none soon."""
        if seconds is not None:
            self.allow(seconds)
        while b"\n" not in self._kept[:_WORD_BYTES_MAX]:
            if len(self._kept) >= _WORD_BYTES_MAX or not self._more():
                return b""
        word, _, rest = bytes(self._kept[:_WORD_BYTES_MAX]).partition(b"\n")
        self._kept = bytearray(rest) + self._kept[_WORD_BYTES_MAX:]
        return word

    def rest(self) -> bytes:
        """Return everything until its end."""
        while self._more():
            pass
        return bytes(self._kept)

    def _more(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._fd, selectors.EVENT_READ)
            seconds = self._until - time.monotonic()
            if seconds <= 0 or not selector.select(seconds):
                raise PickleRefused("PICKLE_TIMEOUT", "reading it took too much time")
        chunk = os.read(self._fd, _CHUNK_BYTES)
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            raise PickleRefused("PICKLE_TOO_LARGE", "what it holds is too large")
        self._kept += chunk
        return bool(chunk)
