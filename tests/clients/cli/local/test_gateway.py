# SPDX-License-Identifier: Apache-2.0
"""A gateway beside a server begins with it and ends with it."""

import socket
import sys

import httpx
import pytest

from tabard.cli.local import gateway
from tabard.cli.local.gateway import gateway_beside, reached_at
from tabard.cli.output import Output
from tabard.errors import FailedPrecondition, InvalidArgument
from tests.clients.fakes.server import FakeServer
from tests.web.running import free_address, until

OUTPUT = Output(is_json=False)


def answers(address: str) -> bool:
    try:
        return (
            httpx.get(f"http://{address}/readyz", trust_env=False, verify=False).status_code == 200
        )
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("listens", "reached"),
    [
        ("0.0.0.0:50051", "127.0.0.1:50051"),
        ("[::]:50051", "127.0.0.1:50051"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("10.0.0.0:1", "10.0.0.0:1"),
    ],
)
def test_server_is_reached_from_its_machine(listens: str, reached: str) -> None:
    """A server that listens everywhere is asked where only this machine is."""
    assert reached_at(listens) == reached


def test_gateway_runs_for_the_length_of_its_server(server: FakeServer) -> None:
    """It answers once it was told where the server is, and not any more afterwards."""
    listen = free_address()

    with gateway_beside(listen, insecure=False, speaks_tls=False, output=OUTPUT) as start:
        start(server.address)
        until(lambda: answers(listen))

    assert not answers(listen)


def test_no_gateway_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is imported, nothing is started."""
    monkeypatch.setitem(sys.modules, "tabard_web.serving", None)
    monkeypatch.setattr(gateway.subprocess, "Popen", None)

    with gateway_beside(None, insecure=False, speaks_tls=False, output=OUTPUT) as start:
        start("127.0.0.1:1")


def test_its_end_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The server goes on, and whoever runs it knows."""
    listen = free_address()

    with gateway_beside(listen, insecure=False, speaks_tls=False, output=OUTPUT) as start:
        # It cannot be an address: it ends at once.
        start("not an address")
        until(lambda: "ended by itself (exit code 4)" in capsys.readouterr().err)


def test_what_cannot_be_is_refused_before_the_server_starts() -> None:
    """Loading a base takes minutes."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        for listen, speaks_tls, reason in (
            (taken, False, "ADDRESS_NOT_AVAILABLE"),
            ("0.0.0.0:0", False, "INSECURE_LISTEN"),
            ("127.0.0.1:0", True, "GATEWAY_NEEDS_NAME"),
        ):
            beside = gateway_beside(listen, insecure=False, speaks_tls=speaks_tls, output=OUTPUT)
            with pytest.raises(InvalidArgument) as refused, beside:
                pass

            assert refused.value.reason == reason


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server needs brings no gateway."""
    monkeypatch.setitem(sys.modules, "tabard_web.serving", None)

    beside = gateway_beside("127.0.0.1:0", insecure=False, speaks_tls=False, output=OUTPUT)

    with pytest.raises(FailedPrecondition, match="serve --web") as refused, beside:
        pass

    assert refused.value.hint == "pip install 'tabard[web]'"
