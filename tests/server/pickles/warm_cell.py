# SPDX-License-Identifier: Apache-2.0
"""A program that imports torch once, and is the cell of whoever connects: by forks of itself.

Each fork goes through the real `main` and is sealed by it. `CLIENT` stands in the place of the
cell's own process: it hands its input and output over, and ends as the fork ended.
Argument: the path of the socket to listen at. Says `listening` once it does.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENT = """
import os, resource, socket, sys
door = socket.socket(socket.AF_UNIX)
door.connect(sys.argv[1])
socket.send_fds(door, [" ".join(sys.argv[2:]).encode()], [0, 1])
code = int(door.recv(16) or 1)
if code < 0:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def warm_cells(folder: Path) -> Iterator[Callable[[list[str]], list[str]]]:
    """Run the program for the block; turn the command of a cell into one that is quick."""
    path = folder / "cells"
    command = [sys.executable, "-I", "-B", __file__, str(path)]
    environment = {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as program:
        assert program.stdout is not None
        try:
            assert program.stdout.readline() == b"listening\n"
            yield lambda cell: [sys.executable, "-I", "-S", "-c", CLIENT, str(path), *cell[-3:]]
        finally:
            program.terminate()


def main() -> None:
    """Listen, and fork for everybody who connects."""
    from tabard_server.pickles import __main__ as cell  # noqa: PLC0415 - heavy, for the program

    cell._warm_up()
    cell._warm_up = lambda: None
    door = socket.socket(socket.AF_UNIX)
    door.bind(sys.argv[1])
    door.listen()
    print("listening", flush=True)
    while True:
        caller, _address = door.accept()
        # The fork that looks after the cell is nobody's child: nobody needs to wait for it.
        if os.fork() == 0:
            if os.fork() == 0:
                _serve(caller, main=cell.main)
            os._exit(0)
        os.wait()
        caller.close()


def _serve(caller: socket.socket, *, main: Callable[[list[str]], int]) -> None:
    arguments, (reading, writing), *_ = socket.recv_fds(caller, 100, 2)
    process = os.fork()
    if process == 0:
        os.dup2(reading, 0)
        os.dup2(writing, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.closerange(3, 1 << 16)
        os._exit(main(arguments.decode().split()))
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    caller.send(str(status).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
