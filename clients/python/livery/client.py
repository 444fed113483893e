# SPDX-License-Identifier: Apache-2.0
"""The client: every verb of Livery as a blocking method. Safe to share between threads.

Verbs are the builders of `livery.calls`; this file only sends them and turns failures into errors.
"""

from __future__ import annotations

import contextlib
import functools
import uuid
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, cast

import grpc

from livery.calls import Call, Caller, Upload, generation, operations, registry, uploads
from livery.calls.generation import Job
from livery.connection import find_connection
from livery.releases import Adapter
from livery.result import Collector, GenerateResult
from livery.transport import FailedCall, livery_error

P = ParamSpec("P")
T = TypeVar("T")


def _verb(
    build: Callable[Concatenate[Caller, P], Call[T]],
) -> Callable[Concatenate[Client, P], T]:
    @functools.wraps(build)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._send(build(self._caller, *args, **kwargs))

    return method


def _upload(
    build: Callable[Concatenate[Caller, P], Upload[T]],
) -> Callable[Concatenate[Client, P], T]:
    @functools.wraps(build)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._send_files(build(self._caller, *args, **kwargs))

    return method


def _stream(
    build: Callable[Concatenate[Caller, P], Call[T]],
) -> Callable[Concatenate[Client, P], Generator[T, None, None]]:
    @functools.wraps(build)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        return self._receive(build(self._caller, *args, **kwargs))

    return method


def _job(
    build: Callable[Concatenate[Caller, P], Job],
) -> Callable[Concatenate[Client, P], GenerateResult]:
    @functools.wraps(build)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> GenerateResult:
        job = build(self._caller, *args, **kwargs)
        collector = Collector(job.on_progress)
        with contextlib.closing(self._receive(job.call)) as events:
            for event in events:
                collector.feed(event)
        return collector.result()

    return method


class Client:
    """A connection to one Livery server.

    Use it in a `with` block, or call `close()`. Every verb raises a `livery.LiveryError`.

    Args:
        address: `host:port`; default `LIVERY_ADDRESS`, then `127.0.0.1:50051`.
        token: Bearer token; default `LIVERY_TOKEN`.
        actor: Who acts, for the records; default `LIVERY_ACTOR`, then the user's name.
        timeout_seconds: Deadline of the short calls; 60 when left out.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        actor: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        self._connection = find_connection(
            address=address, token=token, actor=actor, timeout_seconds=timeout_seconds
        )
        self._caller = Caller(actor=self._connection.actor, new_id=lambda: uuid.uuid4().hex)
        self._channel = grpc.insecure_channel(
            self._connection.address, options=self._connection.options
        )

    generate = _job(generation.generate)
    stream = _stream(generation.stream)
    publish = _upload(uploads.publish)
    check = _upload(uploads.check)
    get = _verb(registry.get)
    resolve = _verb(registry.resolve)
    history = _verb(registry.history)
    watch = _stream(registry.watch)
    promote = _verb(registry.promote)
    rollback = _verb(registry.rollback)
    yank = _verb(registry.yank)
    unyank = _verb(registry.unyank)
    status = _verb(operations.status)
    warm = _verb(operations.warm)
    drain = _verb(operations.drain)

    def list(self) -> tuple[Adapter, ...]:
        """Give all adapters by name."""
        adapters: tuple[Adapter, ...] = ()
        token = ""
        while True:
            page, token = self._send(registry.list_page(self._caller, token))
            adapters += page
            if not token:
                return adapters

    def close(self) -> None:
        """Close the connection; running calls end as cancelled. Idempotent."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, call: Call[T]) -> T:
        invoke = self._channel.unary_unary(
            call.method,
            request_serializer=type(call.request).SerializeToString,
            response_deserializer=call.response.FromString,
        )
        with self._errors():
            response = invoke(
                call.request,
                timeout=call.timeout_seconds or self._connection.timeout_seconds,
                metadata=self._connection.metadata + call.metadata,
            )
        return call.read(response)

    def _send_files(self, upload: Upload[T]) -> T:
        invoke = self._channel.stream_unary(
            upload.method,
            request_serializer=upload.request_type.SerializeToString,
            response_deserializer=upload.response.FromString,
        )
        with self._errors():
            response = invoke(
                upload.requests(),
                timeout=upload.timeout_seconds or self._connection.timeout_seconds,
                metadata=self._connection.metadata,
            )
        return upload.read(response)

    def _receive(self, call: Call[T]) -> Generator[T, None, None]:
        invoke = self._channel.unary_stream(
            call.method,
            request_serializer=type(call.request).SerializeToString,
            response_deserializer=call.response.FromString,
        )
        rpc = invoke(
            call.request,
            timeout=call.timeout_seconds,
            metadata=self._connection.metadata + call.metadata,
        )
        try:
            with self._errors():
                for message in rpc:
                    if call.knows(message):
                        yield call.read(message)
        finally:
            rpc.cancel()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise livery_error(cast(FailedCall, error), address=self._connection.address) from error
