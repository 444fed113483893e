# SPDX-License-Identifier: Apache-2.0
"""What is there before the base: ports that are taken, a state, a page, and refusals."""

import asyncio
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard.v1 import (
    operations_service_pb2,
    operations_service_pb2_grpc,
    registry_service_pb2_grpc,
)
from tabard_server.errors import BadSettings
from tabard_server.life.readiness import State
from tabard_server.rpc.front import Front
from tabard_server.settings import Settings
from tests.server.harness import Refusal, read_page, refusal_of

LOOPBACK = "127.0.0.1:0"


def test_front_tells_that_the_server_starts() -> None:
    """Health and metrics say so, and calls of every kind are refused at once, typed."""

    async def walk() -> tuple[int, str, list[Refusal]]:
        front = Front(Settings(listen=LOOPBACK, metrics_listen=LOOPBACK))
        await front.open()
        try:
            async with grpc.aio.insecure_channel(front.address) as channel:
                health: Any = health_pb2_grpc.HealthStub(channel)
                operations: Any = operations_service_pb2_grpc.OperationsServiceStub(channel)
                registry: Any = registry_service_pb2_grpc.RegistryServiceStub(channel)
                status = await health.Check(health_pb2.HealthCheckRequest())
                request = operations_service_pb2.GetStatusRequest()
                refusals = [await refusal_of(operations.GetStatus(request))]
                # It sends nothing, and is refused all the same.
                refusals.append(await refusal_of(registry.Publish()))
                page = await asyncio.to_thread(read_page, front.metrics_address)
                return status.status, page, refusals
        finally:
            await front.close()
            await front.close()

    status, page, refusals = asyncio.run(walk())
    assert status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert 'tabard_state{state="starting"} 1.0' in page
    assert 'tabard_failures_total{reason="SERVER_STARTING"} 2.0' in page
    assert {refusal.reason for refusal in refusals} == {"SERVER_STARTING"}
    assert {refusal.code for refusal in refusals} == {grpc.StatusCode.UNAVAILABLE}


def asked(address: str, path: str) -> tuple[int, str]:
    """Return the status and the text of a page."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}") as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()


def test_pages_tell_live_from_ready() -> None:
    """Both read the one state: a start is waited for, a stalled engine is cured by a restart."""

    async def walk() -> list[tuple[int, str]]:
        front = Front(Settings(listen=LOOPBACK, metrics_listen=LOOPBACK))
        await front.open()
        address, readiness = front.metrics_address, front.readiness
        found = []
        try:
            for begin in (
                lambda: None,
                lambda: readiness.leave(State.STARTING),
                lambda: readiness.enter(State.STALLED, "it was not heard of"),
            ):
                begin()
                for path in ("/livez", "/readyz"):
                    found.append(await asyncio.to_thread(asked, address, path))
        finally:
            await front.close()
        return found

    assert asyncio.run(walk()) == [
        (200, "starting"),
        (503, "starting"),
        (200, "serving"),
        (200, "serving"),
        (503, "stalled"),
        (503, "stalled"),
    ]


def test_silent_event_loop_is_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose event loop hangs answers nobody, whatever its other threads can still do."""
    monkeypatch.setattr("tabard_server.rpc.front._HEALTH_SECONDS_MAX", 0.05)
    found: list[tuple[int, str]] = []

    async def walk() -> None:
        front = Front(Settings(listen=LOOPBACK, metrics_listen=LOOPBACK))
        await front.open()
        address = front.metrics_address
        asking = threading.Thread(target=lambda: found.append(asked(address, "/livez")))
        asking.start()
        asking.join()
        await front.close()

    asyncio.run(walk())
    assert found == [(503, "the server does not answer")]


def test_unknown_method_is_unknown_at_once() -> None:
    """What is not Tabard's is not promised for later."""

    async def walk() -> grpc.StatusCode:
        front = Front(Settings(listen=LOOPBACK, metrics_listen=""))
        await front.open()
        try:
            async with grpc.aio.insecure_channel(front.address) as channel:
                call: Any = channel.unary_unary("/other.Service/Do")
                await call(b"")
        except grpc.aio.AioRpcError as error:
            return error.code()
        finally:
            await front.close()
        raise AssertionError("the call succeeded")

    assert asyncio.run(walk()) is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("name", ["listen", "metrics_listen", "operators_listen"])
def test_taken_port_is_named(name: str) -> None:
    """Whichever it is: the error names it, and the others are not kept."""

    async def walk(settings: Settings) -> Front:
        front = Front(settings)
        await front.open()
        return front

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = {"listen": LOOPBACK, "metrics_listen": LOOPBACK, name: address}

        with pytest.raises(BadSettings, match=address) as refusal:
            asyncio.run(walk(Settings(**said)))

    assert refusal.value.reason == "ADDRESS_NOT_AVAILABLE"


async def opened(**settings: Any) -> str:
    """Open a front, close it, and return the address that it had for operators."""
    front = Front(Settings(metrics_listen="", **settings))
    await front.open()
    try:
        return front.operators_address
    finally:
        await front.close()


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_operators_have_a_socket_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody needs to say it; it goes with its server, and `` means none."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    listen = f"127.0.0.1:{free_port()}"

    address = asyncio.run(opened(listen=listen))

    assert address == f"unix:{tmp_path}/tabard/{listen.replace(':', '-')}.operators"
    assert not Path(address.removeprefix("unix:")).exists()
    assert asyncio.run(opened(listen=listen, operators_listen="")) == ""


def test_server_starts_without_a_folder_for_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody asked for it; the log says so. Who asked is refused."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "tabard").write_text("")

    assert asyncio.run(opened(listen=f"127.0.0.1:{free_port()}")) == ""
    assert "operators.not_heard" in caplog.text
    with pytest.raises(BadSettings):
        asyncio.run(opened(listen=LOOPBACK, operators_listen=f"unix:{tmp_path}/tabard/socket"))


def test_front_begins_as_starting() -> None:
    """Before anything listens, too."""

    async def walk() -> State:
        return Front(Settings(metrics_listen="")).readiness.state

    assert asyncio.run(walk()) is State.STARTING
