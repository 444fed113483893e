# SPDX-License-Identifier: Apache-2.0
"""Server processes that begin with the libraries imported: forks of one process that only imports.

Tests start a server often, and most of a start is imports. In: a module, its environment, its log.
Out: a process like `subprocess.Popen` gives. Whoever wants a start as users have it, or measures
memory, starts a fresh one.
"""

from __future__ import annotations

import json
import os
import runpy
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_BORN_SECONDS_MAX = 300.0
"""It imports for seconds first, on a busy machine for a minute or two."""


class Forked:
    """A process of the nursery; what tests ask of `subprocess.Popen` can be asked of it.

    Attributes:
        pid: Its number.
        returncode: How it ended, as `subprocess` says it; None: it runs.
    """

    def __init__(self, pid: int) -> None:
        """Know a process that was just forked."""
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """Return how it ended; None: it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: It runs on.
        """
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def note_end(self, code: int) -> None:
        """Take note of how it ended."""
        self.returncode = code
        self._ended.set()


class Nursery:
    """The process that imports and forks. Used from any thread of a test."""

    def __init__(self) -> None:
        """Start it; it is ready some seconds later, and ends when it hears no more of this one."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._children: dict[int, Forked] = {}
        self._asking, self._answered = threading.Lock(), threading.Event()
        self._newest: Forked | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    def fork(self, module: str, *, environment: Mapping[str, str], log: Path) -> Forked:
        """Run a module as `python -m` does, with this environment and no other."""
        order = {"module": module, "environment": dict(environment), "log": str(log)}
        with self._asking:
            self._answered.clear()
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            assert self._answered.wait(_BORN_SECONDS_MAX), "the nursery does not answer"
            assert self._newest is not None, "the nursery has ended"
            return self._newest

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "code" in told:
                self._children.pop(told["pid"]).note_end(told["code"])
                continue
            self._newest = self._children[told["pid"]] = Forked(told["pid"])
            self._answered.set()
        self._newest = None
        self._answered.set()


@cache
def nursery() -> Nursery:
    """Return the one of this process of tests, which ends with it."""
    return Nursery()


def main() -> None:
    """Import, then fork whatever is ordered, and tell how each ended."""
    _import_all()
    with selectors.DefaultSelector() as selector, os.fdopen(os.dup(1), "w") as answers:
        # Nothing but answers goes that way.
        os.dup2(2, 1)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if isinstance(key.data, int):
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _answer(answers, pid=key.data, code=_code_of(key.data))
                elif not (line := sys.stdin.readline()):
                    return
                elif (pid := os.fork()) == 0:
                    selector.close()
                    os.close(answers.fileno())
                    _become(json.loads(line))
                    return
                else:
                    _answer(answers, pid=pid)
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)


def _import_all() -> None:
    from tabard_server.startup.late_imports import garbage_kept  # noqa: PLC0415
    from tabard_server.startup.libraries import import_libraries  # noqa: PLC0415

    with garbage_kept():
        import tabard_server.serving  # noqa: PLC0415

        import_libraries()
        import tabard_server.engine.load_engine  # noqa: F401, PLC0415


def _answer(answers: Any, **told: int) -> None:
    answers.write(json.dumps(told) + "\n")
    answers.flush()


def _code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(order: Mapping[str, Any]) -> None:
    """Be the process that was ordered, to its end."""
    os.environ.clear()
    os.environ.update(order["environment"])
    sink = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (sink, 1), (sink, 2)):
        os.dup2(source, target)
    sys.argv[:] = [order["module"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
