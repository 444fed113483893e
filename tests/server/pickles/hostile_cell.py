# SPDX-License-Identifier: Apache-2.0
"""A program that runs hostile code in real cells: each attempt is a pickle in a process of its own.

Torch is imported once; each attempt is a fork of that, which becomes the user, goes through the
real `main`, is sealed by it, and unpickles with a torch that was told to trust. Argument: a JSON
file with the user, the attempts, and which walls to leave out. Says what came of each as JSON.
"""

import ctypes
import fcntl
import io
import json
import mmap
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch

from tabard_server.pickles import __main__ as cell
from tabard_server.pickles import sandbox

ANSWER_BYTES_MAX = 1 << 20
PATIENCE_SECONDS = 60
CPU_SECONDS = 1
LOADED = (fcntl, io, mmap, resource, select, subprocess, threading, time)
"""Modules that attempts use: a sealed process cannot import them."""

libc = ctypes.CDLL(None, use_errno=True)
libseccomp = ctypes.CDLL("libseccomp.so.2")
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
scene, abstract, tcp_port, udp_port, victim = "", "", 0, 0, 0
marker = ctypes.create_string_buffer(b"untouched", 16)
machine_code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def call(what: str | int, *arguments: Any) -> int:
    """Make a system call."""
    number = what
    if isinstance(what, str):
        number = libseccomp.seccomp_syscall_resolve_name(what.encode())
        if number < 0:
            raise NotImplementedError(what)
    values = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    result = libc.syscall(ctypes.c_long(number), *values)  # type: ignore[arg-type]
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def call_32_bit() -> int:
    """Ask for the process id as a program of 32 bits would."""
    machine_code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(machine_code))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


def path(name: str) -> bytes:
    """Return the path of a file of the scene, for a system call."""
    return f"{scene}/{name}".encode()


def touch() -> str:
    """Return a shell's command that makes a file in the scene."""
    return f"touch {scene}/canary"


def say(descriptor: int) -> None:
    """Tell what a file holds to whoever sees the answer."""
    os.write(1, os.read(descriptor, 64))


def page() -> int:
    """Return the address of whole pages of this process."""
    return (ctypes.addressof(header) + 4095) & ~4095


def vector() -> Any:
    """Return one vector that points to the marker."""
    return (ctypes.c_size_t * 2)(ctypes.addressof(marker), 4)


def endless() -> None:
    """Work without end."""
    while True:
        pass


def deepen() -> None:
    """Nest without end."""
    sys.setrecursionlimit(1 << 30)
    deepen()


def flood() -> None:
    """Answer without end."""
    while True:
        os.write(1, bytes(1 << 16))


class Attempt:
    """Pickles as the code of an attempt, between two marks."""

    def __init__(self, code: str) -> None:
        self._code = (
            "import os, __main__ as kit\n"
            "os.write(1, b'begun ')\n"
            f"try: eval({code!r}, vars(kit))\n"
            "except Exception as error: os.write(1, type(error).__name__.encode())\n"
            "else: os.write(1, b'worked')\n"
        )

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return exec, (self._code,)


def run(code: str, *, uid: int) -> dict[str, Any]:
    """Let one attempt happen; say how its process ended, and what it said after it was sealed."""
    file = io.BytesIO()
    torch.save({"<a>": Attempt(code)}, file)
    pickled = Path(scene + "/pickled")
    pickled.write_bytes(file.getvalue())
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.dup2(os.open(pickled, os.O_RDONLY), 0)
        os.dup2(writing, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.closerange(3, 1 << 16)
        become(uid)
        os._exit(cell.main([str(1 << 20), str(64 << 20), str(CPU_SECONDS)]))
    os.close(writing)
    said = answer_of(reading)
    if said is None:
        os.kill(process, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    pickled.unlink()
    return {"status": status, "said": (said or b"endless").decode("latin-1")}


def answer_of(reading: int) -> bytes | None:
    """Read until the end; None when there is none."""
    said = b""
    until = time.monotonic() + PATIENCE_SECONDS
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while len(said) < ANSWER_BYTES_MAX:
            if not select.select([pipe], [], [], max(0, until - time.monotonic()))[0]:
                return None
            chunk = pipe.read(1 << 16)
            if not chunk:
                return said
            said += chunk
    return None


def become(uid: int) -> None:
    """Become a plain user as one who logged in: with readable memory of its own."""
    if uid != os.getuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        libc.prctl(4, 1, 0, 0, 0)


def start_victim(*, uid: int) -> tuple[int, int, int]:
    """Start a process that does nothing until it is asked for its marker."""
    asked, ask = os.pipe()
    answered, answer = os.pipe()
    process = os.fork()
    if process == 0:
        become(uid)
        os.close(ask)
        os.read(asked, 1)
        os.write(answer, marker.value)
        os._exit(0)
    os.close(asked)
    os.close(answer)
    return process, answered, ask


def main() -> None:
    """Run what the file says."""
    wish = json.loads(Path(sys.argv[1]).read_text())
    load = torch.load
    torch.load = lambda *a, **k: load(*a, **{**k, "weights_only": False})
    cell._warm_up()
    cell._warm_up = lambda: None
    leave_out(set(wish["without"]))
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(99))
    globals().update(scene=wish["scene"])
    doors = open_doors()
    process, answered, ask = start_victim(uid=wish["owner"])
    globals().update(victim=process)
    before = snapshot()
    told = {name: run(code, uid=wish["user"]) for name, code in wish["attempts"].items()}
    changed = sorted(before ^ snapshot())
    callers = sum(map(has_caller, doors))
    if is_alive(process):
        os.write(ask, b"x")
    found = {"told": told, "changed": changed, "callers": callers}
    print(json.dumps({**found, "victim": told_by_victim(answered)}))


def open_doors() -> list[socket.socket]:
    """Listen on every kind of address."""
    stream, packet = socket.SOCK_STREAM, socket.SOCK_DGRAM
    doors = []
    for family, kind, address in (
        (socket.AF_UNIX, stream, f"{scene}/socket"),
        (socket.AF_UNIX, stream, f"\0tabard-{os.getpid()}"),
        (socket.AF_INET, stream, ("127.0.0.1", 0)),
        (socket.AF_INET, packet, ("127.0.0.1", 0)),
    ):
        doors.append(door := socket.socket(family, kind))
        door.bind(address)
        door.setblocking(False)
        if kind == stream:
            door.listen()
    Path(f"{scene}/socket").chmod(0o777)
    names = [door.getsockname() for door in doors]
    globals().update(abstract=names[1], tcp_port=names[2][1], udp_port=names[3][1])
    return doors


def leave_out(walls: set[str]) -> None:
    """Take walls away, to see what they hold."""
    if "filter" in walls:
        sandbox.SystemCallFilter.enforce = lambda self: None
    if "landlock" in walls:
        sandbox.renounce_files = lambda: 0
    if "network" in walls:
        sandbox._leave_network = lambda: False
    if "limits" in walls:
        sandbox._limit = lambda **_: None
        sandbox._become_nobody = lambda: None


def snapshot() -> set[str]:
    """Return all that can be seen of the scene."""
    found = set()
    for one in (Path(scene), *Path(scene).rglob("*")):
        stat = one.lstat()
        content = one.read_bytes() if one.is_file() else b""
        names = os.listxattr(one, follow_symlinks=False)
        facts = (stat.st_mode, stat.st_uid, stat.st_nlink, stat.st_mtime_ns * one.is_file())
        found.add(f"{one.name} {facts} {content!r} {names}")
    return found


def has_caller(door: socket.socket) -> bool:
    """Whether somebody connected, or sent something."""
    try:
        return bool(door.recv(16) if door.type == socket.SOCK_DGRAM else door.accept())
    except BlockingIOError:
        return False


def told_by_victim(answered: int) -> str:
    """Return the marker that the victim has; empty when it is stopped or dead."""
    is_ready = bool(select.select([answered], [], [], PATIENCE_SECONDS)[0])
    return os.read(answered, 16).decode() if is_ready else ""


def is_alive(process: int) -> bool:
    """Whether a child still runs."""
    return os.waitpid(process, os.WNOHANG)[0] == 0


if __name__ == "__main__":
    main()
