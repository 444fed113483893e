# SPDX-License-Identifier: Apache-2.0
"""Why two do not come to speak is said in one sentence, by both clients and by the command line."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tabard import AsyncClient, Client, TabardError, Unauthenticated, Unavailable
from tabard.access.address import read_address
from tabard.access.handshake import handshake_failure
from tabard.access.tls import read_tls
from tests.clients.fakes.authority import Authority
from tests.clients.fakes.server import FakeServer

GRPC_WORDS = ("SSL", "handshake failed", "Socket closed", "connect to all", "OPENSSL", "ipv4:")


def failure_of(address: str, **access: Any) -> TabardError:
    """Give what both clients say of a call, which is the same."""

    async def ask() -> None:
        async with AsyncClient(address, **access) as client:
            await client.whoami()

    with pytest.raises(TabardError) as caught, Client(address, **access) as client:
        client.whoami()
    with pytest.raises(TabardError) as again:
        asyncio.run(ask())
    error = caught.value
    assert (type(again.value), str(again.value)) == (type(error), str(error))
    assert not [word for word in GRPC_WORDS if word in str(error) + error.hint]
    assert error.hint
    return error


def test_good_handshake_carries_the_token(tls_server: FakeServer, authority: Authority) -> None:
    """Only the CA makes the server believable."""
    with Client(f"grpcs://{tls_server.address}", tls_ca=authority.ca, token="t0ken") as client:
        found = client.whoami()

    assert (found.name, found.proof) == ("ann", "token")
    assert tls_server.state.metadata[-1]["authorization"] == "Bearer t0ken"


def test_tls_to_a_plain_port(server: FakeServer, authority: Authority) -> None:
    """The address says too much."""
    error = failure_of(f"grpcs://{server.address}", tls_ca=authority.ca)

    assert (type(error), error.reason) == (Unauthenticated, "TLS_NOT_SPOKEN")
    assert str(error) == f"the server at {server.address} speaks no TLS"
    assert f"write {server.address} without grpcs://" in error.hint


def test_plain_words_to_a_tls_port(tls_server: FakeServer) -> None:
    """The address says too little."""
    error = failure_of(tls_server.address)

    assert (type(error), error.reason) == (Unauthenticated, "TLS_NEEDED")
    assert f"write grpcs://{tls_server.address}" in error.hint


def test_plain_words_to_a_port_that_wants_certificates(authority: Authority) -> None:
    """That is TLS, too."""
    credentials = authority.sign("server").server_credentials(client_ca=authority.ca)

    with FakeServer(credentials) as server:
        error = failure_of(server.address)

    assert error.reason == "TLS_NEEDED"


def test_server_of_another_ca(tls_server: FakeServer, stranger: Authority) -> None:
    """The CA that was believed is named."""
    error = failure_of(f"grpcs://{tls_server.address}", tls_ca=stranger.ca)

    assert (type(error), error.reason) == (Unauthenticated, "SERVER_CERTIFICATE_REFUSED")
    assert f"not signed by the CA in '{stranger.ca}'" in str(error)
    assert "TABARD_TLS_CA" in error.hint


def test_server_of_a_ca_that_nobody_named(tls_server: FakeServer) -> None:
    """A CA of one's own has to be named."""
    error = failure_of(f"grpcs://{tls_server.address}")

    assert "not signed by a CA that is known here" in str(error)


@pytest.mark.parametrize(
    ("days", "hosts", "said"),
    [
        ((-9, -2), ("127.0.0.1",), "has expired"),
        ((2, 9), ("127.0.0.1",), "is not yet valid"),
        ((-1, 9), ("elsewhere.example",), "is for another name"),
        ((-1, 9), ("203.0.113.1",), "is for another name"),
    ],
)
def test_bad_certificate_of_a_server(
    authority: Authority, days: tuple[int, int], hosts: tuple[str, ...], said: str
) -> None:
    """What is wrong with it is said."""
    pair = authority.sign("bad", days=days, hosts=hosts)

    with FakeServer(pair.server_credentials()) as server:
        error = failure_of(f"grpcs://{server.address}", tls_ca=authority.ca)

    assert (type(error), error.reason) == (Unauthenticated, "SERVER_CERTIFICATE_REFUSED")
    assert said in str(error)


def test_host_name_that_does_not_match(authority: Authority) -> None:
    """The same machine under another name."""
    pair = authority.sign("numbers", hosts=("127.0.0.1",))

    with FakeServer(pair.server_credentials()) as server:
        port = server.address.rpartition(":")[2]
        error = failure_of(f"grpcs://localhost:{port}", tls_ca=authority.ca)

    assert "is for another name" in str(error)


@pytest.fixture
def asking_server(authority: Authority) -> Iterator[FakeServer]:
    """Run a server that wants certificates of its clients."""
    credentials = authority.sign("server").server_credentials(client_ca=authority.ca)
    with FakeServer(credentials) as running:
        yield running


def test_certificate_says_who_calls(asking_server: FakeServer, authority: Authority) -> None:
    """Without any token."""
    access: Any = {"tls_ca": authority.ca, "certificate": authority.sign("bob").files}

    with Client(f"grpcs://{asking_server.address}", **access) as client:
        found = client.whoami()

    assert (found.name, found.proof) == ("bob", "certificate")


def test_client_without_a_certificate(asking_server: FakeServer, authority: Authority) -> None:
    """The server hangs up, and says nothing."""
    error = failure_of(f"grpcs://{asking_server.address}", tls_ca=authority.ca)

    assert (type(error), error.reason) == (Unauthenticated, "CERTIFICATE_MISSING")
    assert "certificate=(file, key)" in error.hint


def test_client_of_another_ca(
    asking_server: FakeServer, authority: Authority, stranger: Authority
) -> None:
    """Its certificate is named."""
    pair = stranger.sign("eve")
    access: Any = {"tls_ca": authority.ca, "certificate": pair.files}

    error = failure_of(f"grpcs://{asking_server.address}", **access)

    assert (type(error), error.reason) == (Unauthenticated, "CERTIFICATE_REFUSED")
    assert str(pair.certificate) in str(error)


@contextmanager
def mute_port(answer: bytes) -> Iterator[str]:
    """Listen on a port that answers everybody with the same bytes, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_port_that_hangs_up(authority: Authority) -> None:
    """It is neither of both."""
    with mute_port(b"") as address:
        failure = handshake_failure(
            read_address(f"grpcs://{address}"), read_tls(ca_file=None, certificate_files=None)
        )
        plain = handshake_failure(read_address(address), None)

    assert isinstance(failure, Unauthenticated) and failure.reason == "TLS_FAILED"
    assert plain is None


def test_nobody_there_stays_unavailable(authority: Authority) -> None:
    """TLS is not the reason, so nothing is said of it."""
    plain, tls = failure_of("127.0.0.1:1"), failure_of("grpcs://127.0.0.1:1", tls_ca=authority.ca)

    assert {type(plain), type(tls)} == {Unavailable}
    assert str(tls) == "no server answers at grpcs://127.0.0.1:1"


def test_socket_is_not_looked_at() -> None:
    """Only gRPC knows where it is."""
    assert handshake_failure(read_address("unix:/nowhere"), None) is None
