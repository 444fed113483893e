# SPDX-License-Identifier: Apache-2.0
"""Addresses: what is somebody's is not taken, and the operators' socket is this user's alone."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard_server.errors import BadSettings
from tabard_server.rpc.ports import operators_socket, take


@pytest.fixture
def server() -> Iterator[Any]:
    """A gRPC server that is never started."""
    server = grpc.server(None)
    yield server
    server.stop(None)


def listening(folder: Path) -> socket.socket:
    """Listen on a unix socket."""
    mine = socket.socket(socket.AF_UNIX)
    mine.bind(str(folder / "socket"))
    mine.listen()
    return mine


def test_port_is_told(server: Any) -> None:
    """The system's choice is in the address."""
    host, _colon, port = take(server, "127.0.0.1:0").rpartition(":")

    assert host == "127.0.0.1"
    assert int(port) > 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_taken_port_is_refused_in_our_words(
    host: str, server: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """And gRPC writes none of its own beside them."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(BadSettings, match=host) as refusal,
    ):
        take(server, f"{host}:{taken.getsockname()[1]}")

    assert refusal.value.reason == "ADDRESS_NOT_AVAILABLE"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("listen", ["192.0.2.1:0", "no-such-host.invalid:1"])
def test_address_of_others_is_refused(listen: str, server: Any) -> None:
    """What this machine does not have, and what nobody has."""
    with pytest.raises(BadSettings) as refusal:
        take(server, listen)

    assert refusal.value.reason == "ADDRESS_NOT_AVAILABLE"


def test_socket_of_the_living_is_left(server: Any, tmp_path: Path) -> None:
    """Its owner goes on; that of a killed process is nobody's, and taken."""
    listen = f"unix:{tmp_path / 'socket'}"
    with listening(tmp_path):
        with pytest.raises(BadSettings):
            take(server, listen)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(tmp_path / "socket"))
        assert (tmp_path / "socket").is_socket()

    assert take(server, listen) == listen


@pytest.mark.parametrize("is_private", [True, False])
def test_private_socket_is_this_users_alone(is_private: bool, server: Any, tmp_path: Path) -> None:
    """From the first moment on; others are as the process makes its files."""
    take(server, f"unix:{tmp_path / 'socket'}", is_private=is_private)

    mode = stat.S_IMODE((tmp_path / "socket").stat().st_mode)
    assert (mode == 0o600) is is_private


def test_operators_socket_is_named_after_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address has its own, in a folder that is this user's; port 0 has none."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "tabard"

    listens = ("127.0.0.1:50051", "[::1]:50051", "0.0.0.0:50051", "unix:/srv/t")
    assert [operators_socket(listen) for listen in listens] == [
        f"unix:{folder}/127.0.0.1-50051.operators",
        f"unix:{folder}/1-50051.operators",
        f"unix:{folder}/0.0.0.0-50051.operators",
        f"unix:{folder}/unix-srv-t.operators",
    ]
    assert operators_socket("127.0.0.1:0") == ""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("is_link", [True, False])
def test_folder_of_others_is_refused(
    is_link: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that anybody could write in, or that leads elsewhere, holds no socket of ours."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "tabard"
    if is_link:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o777)

    with pytest.raises(BadSettings) as refusal:
        operators_socket("127.0.0.1:50051")

    assert "operators_listen" in refusal.value.hint
