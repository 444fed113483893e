# SPDX-License-Identifier: Apache-2.0
"""Servers of one registry, each on a port that it keeps: killed, drained, and started again."""

import contextlib
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
        folder: Where its log is.
        base: What it draws with.
        settings: What it is told.
        variables: Of its environment.
        running: Its process; None: it does not run.
    """

    address: str
    folder: Path
    base: Path
    settings: Mapping[str, Any]
    variables: Mapping[str, str] = field(default_factory=dict)
    running: RunningServer | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self) -> None:
        """Start it, and wait until it takes jobs."""
        self.running = self._stack.enter_context(
            run_server(
                self.folder,
                base=self.base,
                variables=self.variables,
                listen=self.address,
                advertise=self.address,
                **self.settings,
            )
        )

    def kill(self) -> None:
        """End it without a word."""
        assert self.running is not None
        self.running.process.kill()
        self.close()

    def stop(self) -> None:
        """Tell it to end, and wait: its jobs end first."""
        assert self.running is not None
        self.running.process.send_signal(signal.SIGTERM)
        await_end(self.running.process, log=self.running.log)
        self.close()

    def close(self) -> None:
        """Let nothing of it be left."""
        self.running = None
        self._stack.close()

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")


def server_in(folder: Path, *, base: Path, **settings: Any) -> Server:
    """Return a server that does not run yet, with a port that the system gives."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    return Server(address=f"127.0.0.1:{port}", folder=folder, base=base, settings=settings)


@contextmanager
def running(servers: Sequence[Server]) -> Iterator[None]:
    """Run servers for the length of a block; they start side by side."""
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.callback(server.close)
        with ThreadPoolExecutor(len(servers)) as threads:
            list(threads.map(Server.start, servers))
        yield
