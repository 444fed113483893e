# SPDX-License-Identifier: Apache-2.0
"""From a replica's gRPC port to the server in the same process: calls, whole.

In: bytes, and Ray's context of a call. Out: bytes, and the status as the server said it. A caller
who goes away cancels here what he asked for there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from tabard_ray.services import Answer, Method

_OF_THE_WIRE = ("grpc-", ":")
"""How names begin that gRPC writes itself; `grpc-status-details-bin` is the server's."""
_DETAILS = "grpc-status-details-bin"
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
"""The server has bounds of its own, and says so in words."""


class Forwarder:
    """Calls the server in this process. Asyncio thread of its replica."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)

    async def close(self) -> None:
        """Call no more. Idempotent."""
        await self._channel.close()

    async def answer(self, method: Method, request: Any, context: Any) -> Answer:
        """Return the one answer of a call; without one where it failed, as `context` says."""
        try:
            return Answer(await self._call(method, request, context))
        except grpc.aio.AioRpcError as error:
            _tell(context, error)
            return Answer()

    async def answers(self, method: Method, request: Any, context: Any) -> AsyncIterator[Answer]:
        """Yield the answers of a call as they come."""
        call = self._call(method, request, context)
        try:
            async for message in call:
                yield Answer(message)
        except grpc.aio.AioRpcError as error:
            # Told, not raised: Ray carries the details of a status only of calls that return.
            _tell(context, error)
        finally:
            call.cancel()

    def _call(self, method: Method, request: Any, context: Any) -> Any:
        channel = self._channel
        make = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }[method.streams_requests, method.streams_answers]
        metadata = [
            (key, value)
            for key, value in context.invocation_metadata()
            if not key.startswith(_OF_THE_WIRE) and key != "user-agent"
        ]
        return make(method.path)(request, metadata=metadata)


def _tell(context: Any, error: grpc.aio.AioRpcError) -> None:
    context.set_code(error.code())
    context.set_details(error.details() or "")
    context.set_trailing_metadata(
        [
            (key, value)
            for key, value in error.trailing_metadata() or ()
            if key == _DETAILS or not key.startswith(_OF_THE_WIRE)
        ]
    )
