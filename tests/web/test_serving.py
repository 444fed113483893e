# SPDX-License-Identifier: Apache-2.0
"""A gateway's process: where it may listen, and that it ends as it is told."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tabard import InvalidArgument
from tabard_web.serving import Place, open_socket, read_place
from tests.clients.fakes.server import FakeServer
from tests.web.running import PATIENCE_SECONDS


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start `tabard web`; give its process and its address."""
    command = [sys.executable, "-m", "tabard", "web", "--listen", "127.0.0.1:0", "--json"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TABARD_")}
    with subprocess.Popen(
        [*command, *options], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())["address"]
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("text", "place", "is_near"),
    [
        ("127.0.0.1:8080", Place(host="127.0.0.1", port=8080), True),
        ("localhost:0", Place(host="localhost", port=0), True),
        ("[::1]:80", Place(host="[::1]", port=80), True),
        ("0.0.0.0:80", Place(host="0.0.0.0", port=80), False),
    ],
)
def test_place_is_read(text: str, place: Place, is_near: bool) -> None:
    """Host and port, and whether others reach it."""
    read = read_place(text, insecure=True)

    assert (read, read.is_near) == (place, is_near)


@pytest.mark.parametrize("text", ["", "8080", "a:", "a:b", "127.0.0.1:99999", "http://a:1"])
def test_no_place_is_refused(text: str) -> None:
    """What is no address is told before anything listens."""
    with pytest.raises(InvalidArgument) as refused:
        read_place(text, insecure=True)

    assert refused.value.reason == "BAD_ADDRESS"


def test_open_place_is_refused_unless_said() -> None:
    """Tokens are not taken where others can read them."""
    with pytest.raises(InvalidArgument) as refused:
        read_place("0.0.0.0:80", insecure=False)

    assert refused.value.reason == "INSECURE_LISTEN"


def test_taken_place_is_told() -> None:
    """Whose it is nobody knows; that it is taken is said."""
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(InvalidArgument) as refused,
    ):
        open_socket(Place(host="127.0.0.1", port=other.getsockname()[1]))

    assert refused.value.reason == "ADDRESS_NOT_AVAILABLE"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_tidily(server: FakeServer, number: signal.Signals) -> None:
    """It answers until then, and its exit code says that all is well."""
    with started("--address", server.address) as (process, url):
        answered = httpx.get(f"{url}/readyz", trust_env=False).status_code
        process.send_signal(number)
        code = process.wait(PATIENCE_SECONDS)

    assert (answered, code) == (200, 0)


def test_end_of_parent_ends_it(server: FakeServer) -> None:
    """Nobody who started it is left: then it is of no use."""
    with started("--address", server.address, "--ends-with-stdin") as (process, _url):
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None

        assert process.wait(PATIENCE_SECONDS) == 0


def test_begun_request_is_finished(server: FakeServer, tmp_path: Path) -> None:
    """A stop waits for what was begun."""
    server.state.step_seconds = 0.1
    with started("--address", server.address) as (process, url):
        with httpx.stream(
            "POST",
            f"{url}/v1/images/generations",
            json={"prompt": "a", "stream": True, "num_inference_steps": 5},
            timeout=PATIENCE_SECONDS,
            trust_env=False,
        ) as answer:
            process.send_signal(signal.SIGTERM)
            told = answer.read().decode()
        code = process.wait(PATIENCE_SECONDS)

    assert "event: image_generation.completed" in told
    assert code == 0
