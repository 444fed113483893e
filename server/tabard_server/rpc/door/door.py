# SPDX-License-Identifier: Apache-2.0
"""The door of every method: a place for the call, who makes it, its message, then the work.

In: raw calls. Out: servicers' calls. To gRPC all methods take a stream of bytes, so that a call
that never sends its message has passed the gate, and is waited for no longer than any other.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tabard_server.callers.caller import Caller
from tabard_server.callers.gate import Gate, Work
from tabard_server.callers.read_on import ReadOn, found
from tabard_server.errors import MethodUnknown
from tabard_server.identity.authenticator import Authenticator
from tabard_server.identity.credentials import UNASKED, Session
from tabard_server.identity.sessions import Sessions
from tabard_server.life.readiness import Readiness
from tabard_server.limits import Limits
from tabard_server.rpc.door.bounds import bounds_of
from tabard_server.rpc.door.credentials import credentials_of
from tabard_server.rpc.door.exchange import Exchange
from tabard_server.rpc.door.methods import METHODS
from tabard_server.rpc.door.roles import RULES, Rule
from tabard_server.rpc.door.wire import Shape, shape_of
from tabard_server.rpc.status import Guard
from tabard_server.threads import Threads
from tabard_server.version import tabard_version

Answer = Callable[[Any, Any], Awaitable[bytes | None]]

_THREADS_MAX = 2
"""For large messages; a thread spares the others the wait, two spare none of the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of a service.

    Attributes:
        path: `/package.Service/Method`.
        work: What it does, as far as places go.
        request: Its request.
        shape: What that may hold.
        streams_requests: Whether there are many.
        is_stream: Whether there are many of them, or of answers: it may go on for long.
        rule: What it asks of its callers.
    """

    path: str
    work: Work
    request: type[Message]
    shape: Shape
    streams_requests: bool
    is_stream: bool
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """How a door knows its callers.

    Attributes:
        authenticator: Says who calls.
        sessions: Whoever is in a call that goes on.
        trusts: Whether whoever reaches the door is trusted: a socket that one user can open.
    """

    authenticator: Authenticator
    sessions: Sessions
    trusts: bool = False


class Door(grpc.aio.ServerInterceptor):
    """Opens every method of a server to callers. Asyncio thread."""

    def __init__(
        self,
        services: Any,
        *,
        caller_of: Callable[[str], Caller],
        recognition: Recognition,
        gate: Gate,
        readiness: Readiness,
        count: Callable[[str], None],
        limits: Limits,
        read_on: ReadOn,
    ) -> None:
        """Take the descriptors of all services, and what counts a failure by its reason.

        `caller_of` makes a caller of a peer. `readiness` says why, to calls that come before there
        are servicers. `read_on` is asked before a caller hears that something is not there.

        Raises:
            KeyError: A method, or a field of its request, is in no table.
        """
        self._caller_of = caller_of
        self._recognition = recognition
        self._gate = gate
        self._readiness = readiness
        self._guard = Guard(count=count)
        self._quiet_guard = Guard(count=lambda _reason: None)
        self._limits = limits
        self._read_on = read_on
        bounds = bounds_of(limits)
        self._methods: dict[str, Method] = {}
        for service in services:
            for method in service.methods:
                path = f"/{service.full_name}/{method.name}"
                request = GetMessageClass(method.input_type)
                self._methods[path] = Method(
                    path=path,
                    work=METHODS[path],
                    request=request,
                    shape=shape_of(request, bounds=bounds),
                    streams_requests=method.client_streaming,
                    is_stream=method.client_streaming or method.server_streaming,
                    rule=RULES[path],
                )
        self._threads = Threads("message", threads_max=_THREADS_MAX)
        self._opened: dict[str, Any] = {}

    def close(self) -> None:
        """Parse nothing more. Idempotent."""
        self._threads.close()

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Give gRPC what it calls instead of a servicer's method; called for every call."""
        path = handler_call_details.method
        opened = self._opened.get(path)
        if opened is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return grpc.stream_stream_rpc_method_handler(self._refuse(path))
            opened = self._opened[path] = self._open(handler, method=self._methods[path])
        return opened

    def _refuse(self, path: str) -> Answer:
        async def refuse(_messages: Any, context: Any) -> None:
            await self._guard.call(self._exchange(context), self._nobody_serves(path))

        return refuse

    async def _nobody_serves(self, path: str) -> None:
        if path in self._methods:
            self._readiness.require()
        raise MethodUnknown(
            f"there is no method {path} here",
            hint=f"this server is Tabard {tabard_version()}; proto/tabard/v1 has what it serves",
        )

    def _exchange(self, context: Any) -> Exchange:
        caller = self._caller_of(context.peer())
        return Exchange(context, caller=caller, threads=self._threads, limits=self._limits)

    def _open(self, handler: Any, *, method: Method) -> Any:
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._answer(handler, method=method))
        return grpc.stream_unary_rpc_method_handler(self._answer(handler, method=method))

    def _answer(self, handler: Any, *, method: Method) -> Answer:
        serve = next(
            filter(
                None,
                (
                    handler.unary_unary,
                    handler.unary_stream,
                    handler.stream_unary,
                    handler.stream_stream,
                ),
            )
        )

        async def answer(_messages: Any, context: Any) -> bytes | None:
            exchange = self._exchange(context)
            return await self._guard.call(exchange, self._admit(serve, exchange, method=method))

        return answer

    async def _admit(
        self, serve: Callable[..., Any], exchange: Exchange, *, method: Method
    ) -> bytes | None:
        async with self._gate.call(method.work, caller=exchange.caller):
            # A second guard, because a status can wait for its reader: until it was taken, the call
            # keeps its place. What the work held is given back before.
            return await self._guard.call(exchange, self._known(serve, exchange, method=method))

    async def _known(
        self, serve: Callable[..., Any], exchange: Exchange, *, method: Method
    ) -> bytes | None:
        """Learn who calls, and do the work for as long as that counts."""
        session = await self._session(exchange, method=method)
        if session is UNASKED:
            return await self._work(serve, exchange, method=method)
        exchange.know(session)
        if not method.is_stream:
            return await self._work(serve, exchange, method=method)
        async with self._recognition.sessions.hold(session):
            return await self._work(serve, exchange, method=method)

    async def _session(self, exchange: Exchange, *, method: Method) -> Session:
        known = self._recognition
        if method.rule.is_open or known.trusts or not known.authenticator.is_on:
            return UNASKED
        return await known.authenticator.authenticate(credentials_of(exchange.context))

    async def _work(
        self, serve: Callable[..., Any], exchange: Exchange, *, method: Method
    ) -> bytes | None:
        async with self._gate.work(method.work, caller=exchange.caller) as exchange.place:
            request = await self._allowed(exchange, method=method)
            served = self._served(serve, request, exchange, method=method)
            # Nobody else may hold the request: a picture is let go of once it is read.
            del request
            if method.work is Work.DRAW:
                # Jobs are counted where they end, those of callers who have gone included.
                served = self._quiet_guard.call(exchange, served)
            answer = await served
        if answer is None:
            return None
        write = answer.SerializeToString
        is_long = method.work is Work.READ
        return exchange.check_size(await self._threads.run(write) if is_long else write())

    def _served(
        self, serve: Callable[..., Any], request: Any, exchange: Exchange, *, method: Method
    ) -> Awaitable[Message | None]:
        """Serve a call; what names something that is not there is served again after news."""
        if method.work is Work.DRAW or method.streams_requests:
            # Their requests are let go of before that is known; jobs look again by themselves.
            return _served(serve, request, exchange)

        async def read_on() -> bool:
            return not exchange.has_written and await self._read_on()

        return found(lambda: _served(serve, request, exchange), read_on=read_on)

    async def _allowed(self, exchange: Exchange, *, method: Method) -> Any:
        """Return the message of the call, or its stream, once its caller may send it."""
        if method.streams_requests:
            messages = exchange.messages(method.shape, as_type=method.request)
            return (
                messages
                if exchange.is_anybodys
                else _allowed_parts(messages, exchange, rule=method.rule)
            )
        request = await exchange.message(method.shape, as_type=method.request)
        if not exchange.is_anybodys:
            method.rule.check(exchange.identity, request)
        return request


async def _allowed_parts(
    messages: AsyncIterator[Any], exchange: Exchange, *, rule: Rule
) -> AsyncIterator[Any]:
    is_first = True
    async for part in messages:
        rule.check_part(exchange.identity, part, is_first=is_first)
        is_first = False
        yield part


async def _served(serve: Callable[..., Any], request: Any, exchange: Exchange) -> Message | None:
    """Call a method as it wants to be called; return its answer, None when it wrote them itself."""
    answers: Any = serve(request, exchange)
    del request
    if inspect.isasyncgenfunction(serve):
        async with aclosing(answers):
            async for message in answers:
                await exchange.write(message)
        return None
    answer: Message | None = await answers
    return answer
