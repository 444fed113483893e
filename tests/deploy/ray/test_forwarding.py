# SPDX-License-Identifier: Apache-2.0
"""Calls that are handed on to the server in the same process, with a real gRPC server there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from tabard_ray.forwarding import Forwarder
from tabard_ray.services import Method, add_to_server, methods

STREAM = Method(service="t.S", name="Draw", streams_requests=False, streams_answers=True)
UNARY = Method(service="t.S", name="Get", streams_requests=False, streams_answers=False)
UPLOAD = Method(service="t.S", name="Put", streams_requests=True, streams_answers=False)
DETAILS = ("grpc-status-details-bin", b"\x08\x05")


class _Context:
    """What Ray gives of a call."""

    def __init__(self, *metadata: tuple[str, str]) -> None:
        self.metadata = metadata
        self.code: Any = None
        self.details = ""
        self.trailing: list[Any] = []

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return list(self.metadata)

    def set_code(self, code: Any) -> None:
        self.code = code

    def set_details(self, details: str) -> None:
        self.details = details

    def set_trailing_metadata(self, trailing: list[Any]) -> None:
        self.trailing = trailing


class _Server(grpc.GenericRpcHandler):
    """Draws three messages and stops, gets what was said, refuses what it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.cancelled = asyncio.Event()

    def service(self, details: Any) -> Any:
        return {
            STREAM.path: grpc.unary_stream_rpc_method_handler(self._draw),
            UNARY.path: grpc.unary_unary_rpc_method_handler(self._get),
            UPLOAD.path: grpc.stream_unary_rpc_method_handler(self._put),
        }.get(details.method)

    async def _draw(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        if request == b"refuse":
            context.set_trailing_metadata((DETAILS, ("tabard-reason", "NO")))
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is none")
        for number in range(3):
            yield request + bytes([number])
        if request == b"wait":
            try:
                await asyncio.sleep(600.0)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

    async def _get(self, request: bytes, context: Any) -> bytes:
        self.heard = list(context.invocation_metadata())
        if request == b"refuse":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        return request[::-1]

    async def _put(self, requests: AsyncIterator[bytes], _context: Any) -> bytes:
        return b"".join([part async for part in requests])


def _try(check: Callable[[Forwarder, _Server], Awaitable[None]]) -> None:
    async def run() -> None:
        handler = _Server()
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        forwarder = Forwarder(f"127.0.0.1:{port}")
        try:
            await check(forwarder, handler)
        finally:
            await forwarder.close()
            await server.stop(None)

    asyncio.run(run())


def test_answers_come_as_they_are() -> None:
    """One answer or many, to one message or many, arrive byte by byte."""

    async def check(forwarder: Forwarder, _server: _Server) -> None:
        many = [one.data async for one in forwarder.answers(STREAM, b"a", _Context())]
        one = await forwarder.answer(UNARY, b"abc", _Context())
        put = await forwarder.answer(UPLOAD, _parts(b"x", b"y"), _Context())

        assert many == [b"a\x00", b"a\x01", b"a\x02"]
        assert (one.SerializeToString(), put.data) == (b"cba", b"xy")

    _try(check)


def test_refusal_keeps_its_details() -> None:
    """A status comes back with its words and its details, of streams and of single answers."""

    async def check(forwarder: Forwarder, _server: _Server) -> None:
        stream, unary = _Context(), _Context()

        assert [one async for one in forwarder.answers(STREAM, b"refuse", stream)] == []
        assert (await forwarder.answer(UNARY, b"refuse", unary)).data == b""

        assert (stream.code, stream.details) == (grpc.StatusCode.NOT_FOUND, "there is none")
        assert DETAILS in stream.trailing
        assert ("tabard-reason", "NO") in stream.trailing
        assert unary.code is grpc.StatusCode.RESOURCE_EXHAUSTED

    _try(check)


def test_metadata_goes_along() -> None:
    """What a caller says of itself is heard; what gRPC writes for itself is not said twice."""

    async def check(forwarder: Forwarder, server: _Server) -> None:
        said = _Context(("authorization", "Bearer x"), ("user-agent", "mine"), ("grpc-x", "y"))

        await forwarder.answer(UNARY, b"a", said)

        assert ("authorization", "Bearer x") in server.heard
        assert ("user-agent", "mine") not in server.heard
        assert ("grpc-x", "y") not in server.heard

    _try(check)


def test_leaving_cancels_there() -> None:
    """Who stops listening in the middle cancels what he asked for."""

    async def check(forwarder: Forwarder, server: _Server) -> None:
        answers = forwarder.answers(STREAM, b"wait", _Context())
        await anext(answers)
        await answers.aclose()

        await asyncio.wait_for(server.cancelled.wait(), 60.0)

    _try(check)


def test_every_method_is_handed_on() -> None:
    """All methods of the API are there, each under a name of its own."""
    added: dict[str, Any] = {}

    class Server:
        def add_generic_rpc_handlers(self, handlers: Any) -> None:
            for handler in handlers:
                added.update(handler._method_handlers)

    class Servicer:
        def __getattr__(self, name: str) -> Any:
            return lambda _request, _context: name

    add_to_server(Servicer(), Server())

    found = list(methods())
    assert set(added) == {method.path for method in found}
    assert len({method.name for method in found}) == len(found)
    assert added["/tabard.v1.GenerationService/Generate"].response_streaming
    assert added["/tabard.v1.RegistryService/Publish"].request_streaming


async def _parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
