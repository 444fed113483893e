# SPDX-License-Identifier: Apache-2.0
"""Servers of one registry, each on a port that it keeps: killed, drained, and started again."""

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.conftest import RunningServer, run_server
from tests.waiting.processes import await_end


@dataclass(kw_only=True)
class Server:
    """One server of several.

    Attributes:
        address: Where it listens, whenever it runs.
        running: Its process; None: it does not run.
    """

    address: str
    folder: Path
    base: Path
    settings: dict[str, Any]
    running: RunningServer | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self, **settings: Any) -> None:
        """Start it, and wait until it takes jobs."""
        said = {"listen": self.address, **self.settings, **settings}
        server = run_server(self.folder, base=self.base, **said)
        self.running = self._stack.enter_context(server)

    def kill(self) -> None:
        """End it without a word."""
        assert self.running is not None
        self.running.process.kill()
        self._end()

    def stop(self) -> None:
        """Tell it to end, and wait: its jobs end first."""
        assert self.running is not None
        self.running.process.send_signal(signal.SIGTERM)
        await_end(self.running.process, log=self.running.log)
        self._end()

    def close(self) -> None:
        """Let nothing of it be left."""
        self._end()

    def _end(self) -> None:
        self.running = None
        self._stack.close()

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")


@contextmanager
def run_servers(
    folder: Path, *, bases: Sequence[Path], settings: Callable[[int], dict[str, Any]]
) -> Iterator[list[Server]]:
    """Run a server for each base; `settings` says those of each by its number."""
    found = [
        Server(
            address=f"127.0.0.1:{_free_port()}",
            folder=folder / f"server-{number}",
            base=base,
            settings=settings(number),
        )
        for number, base in enumerate(bases)
    ]
    with contextlib.ExitStack() as stack:
        for server in found:
            stack.callback(server.close)
            server.start()
        yield found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
