# SPDX-License-Identifier: Apache-2.0
"""A socket that systemd opened: taken with all words about it, or refused with what it was."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tabard import InvalidArgument
from tabard_web.activation import passed_socket
from tabard_web.serving import take_place
from tests.clients.fakes.server import FakeServer
from tests.web.running import PATIENCE_SECONDS

ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does between fork and exec: the descriptor by its number, and the words about it."""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Give a socket that listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def words(count: str = "1", *, pid: int | None = None) -> dict[str, str]:
    """Return what systemd says to this process."""
    return {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": count, "LISTEN_FDNAMES": "web"}


def test_passed_socket_is_taken(listening: socket.socket) -> None:
    """It is the same port, and nothing is said of it any more."""
    environment = words() | {"HOME": "/"}

    taken = passed_socket(environment, first=os.dup(listening.fileno()))

    with taken:
        assert taken.getsockname() == listening.getsockname()
        assert not os.get_inheritable(taken.fileno())
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({}, "no socket was passed"),
        (words("0"), "no socket was passed"),
        (words(pid=1), "no socket was passed"),
        (words("2"), "2 sockets were passed"),
        (words(), "no TCP port that listens"),
    ],
)
def test_other_words_are_refused(environment: dict[str, str], why: str) -> None:
    """Nothing, too many, another's, and a socket that does not listen."""
    with (
        socket.socket() as idle,
        pytest.raises(InvalidArgument, match=why) as refused,
    ):
        passed_socket(dict(environment), first=os.dup(idle.fileno()))

    assert refused.value.reason == "NO_SOCKET_PASSED"


def test_unix_socket_is_refused() -> None:
    """Whose name would a caller ask it by?"""
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(f"\0tabard-activation-{os.getpid()}")
        opened.listen()
        with pytest.raises(InvalidArgument, match="no TCP port"):
            passed_socket(words(), first=os.dup(opened.fileno()))


def test_what_is_no_socket_is_refused() -> None:
    """A descriptor of something else."""
    reading, writing = os.pipe()
    with pytest.raises(InvalidArgument, match="is no socket"):
        passed_socket(words(), first=reading)
    os.close(reading)
    os.close(writing)


def test_nothing_passed_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the option's own word."""
    monkeypatch.delenv("LISTEN_FDS", raising=False)

    with pytest.raises(InvalidArgument) as refused:
        take_place("systemd", insecure=False)

    assert refused.value.reason == "NO_SOCKET_PASSED"


def test_request_waits_for_the_gateway(server: FakeServer, listening: socket.socket) -> None:
    """Whoever asks before it is there is answered once it is: nobody is refused meanwhile."""
    fd = listening.fileno()
    command = [sys.executable, "-m", "tabard", "web", "--listen", "systemd"]

    with socket.create_connection(listening.getsockname(), PATIENCE_SECONDS) as caller:
        caller.sendall(ASK)
        with subprocess.Popen(
            [sys.executable, "-c", PASS, str(fd), *command, "--address", server.address, "--quiet"],
            pass_fds=(fd,),
        ) as process:
            try:
                answer = caller.recv(4096)
            finally:
                process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0
    assert answer.startswith(b"HTTP/1.1 ")
