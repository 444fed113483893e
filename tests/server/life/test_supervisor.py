# SPDX-License-Identifier: Apache-2.0
"""What systemd is told, read from a real datagram socket: of an object, and of a whole process."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard_server.life.readiness import Readiness, State
from tabard_server.life.supervisor import Supervisor
from tabard_server.telemetry.metrics import Metrics
from tests.server.life.server_process import job_of, running
from tests.server.telemetry.logged import logged

PATIENCE_SECONDS = 60.0
SIGN = "WATCHDOG=1"
BOUND_SECONDS = 0.3
SILENT_SECONDS = 10 * BOUND_SECONDS


class Manager:
    """The socket that a service manager reads."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.heard: list[str] = []

    def listen(self, *, seconds: float = PATIENCE_SECONDS) -> list[str]:
        """Wait for a datagram; return its lines. TimeoutError: there is none."""
        self.socket.settimeout(seconds)
        lines = self.socket.recv(4096).decode().splitlines()
        self.heard += lines
        return lines

    def until(self, words: str) -> None:
        """Listen until a line begins so."""
        while not any(line.startswith(words) for line in self.listen()):
            continue


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """Somebody who listens, at a path and at an abstract name."""
    address = str(tmp_path / "n") if request.param == "path" else f"@tabard-test-{os.getpid()}"
    found = Manager(address)
    yield found
    found.socket.close()


def a_readiness() -> Readiness:
    """Return the state of a server that starts."""
    return Readiness(metrics=Metrics(), retry_seconds=1.0)


def test_states_are_told_as_they_change(manager: Manager) -> None:
    """Each once, with its cause; ready once, however often it is said."""

    async def walk() -> None:
        supervisor, readiness = Supervisor(manager.address), a_readiness()
        async with supervisor.hearing_of(readiness):
            await asyncio.to_thread(manager.until, "STATUS=starting")
            readiness.leave(State.STARTING)
            await asyncio.to_thread(manager.until, "STATUS=serving")
            supervisor.ready()
            supervisor.ready()
            readiness.enter(State.STALLED, "it is\nnot heard of")
            await asyncio.to_thread(manager.until, "STATUS=stalled")
            supervisor.stopping()
            await asyncio.to_thread(manager.until, "STOPPING=1")

    asyncio.run(walk())
    assert manager.heard == [
        "STATUS=starting: the base is being loaded",
        "STATUS=serving",
        "READY=1",
        "STATUS=stalled: it is not heard of",
        "STOPPING=1",
    ]


def test_words_are_taken_from_the_environment(tmp_path: Path) -> None:
    """No child of the server shall answer; a watchdog of another process is not this one's."""
    manager = Manager(str(tmp_path / "n"))
    environment = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "300000",
        "WATCHDOG_PID": str(os.getpid() + 1),
        "HOME": "/",
    }

    async def walk() -> None:
        supervisor = Supervisor.of(environment)
        async with supervisor.hearing_of(a_readiness()):
            await asyncio.to_thread(manager.until, "STATUS=")
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(manager.listen, seconds=SILENT_SECONDS)

    asyncio.run(walk())
    manager.socket.close()
    assert environment == {"HOME": "/"}
    assert SIGN not in manager.heard


def test_deaf_manager_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A socket that is gone is told of once; without one nothing is sent, and nothing fails."""
    for supervisor in (Supervisor("/nowhere/notify"), Supervisor()):
        supervisor.ready()
        supervisor.stopping()

    (line,) = logged(caplog, "supervisor.not_told")
    assert "No such file" in line["message"]


def serve_under(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next process think that it was started by this manager."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", str(int(BOUND_SECONDS * 1e6)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)


def test_process_tells_its_whole_life(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it starts, serves, lives, and stops, in this order."""
    serve_under(manager, monkeypatch)

    with running(tmp_path) as server:
        for words in ("STATUS=starting", "READY=1", SIGN, SIGN):
            manager.until(words)
        server.signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert server.end() == 0


def test_stalled_engine_gives_no_sign(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop goes on and says why; the sign of life is that of the engine."""
    serve_under(manager, monkeypatch)
    settings = {"engine_stall_seconds_max": 0.5, "watchdog_seconds": 0.05}

    with running(tmp_path, stuck="step", settings=settings) as server:
        manager.until("READY=1")
        with job_of(server):
            manager.until("STATUS=stalled")
            with pytest.raises(TimeoutError):
                manager.listen(seconds=SILENT_SECONDS)
