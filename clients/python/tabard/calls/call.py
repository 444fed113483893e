# SPDX-License-Identifier: Apache-2.0
"""The values that both clients send: a call with one request, and an upload with many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

T_co = TypeVar("T_co", covariant=True)

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, and where fresh ids for idempotent acts come from."""

    actor: str
    new_id: Callable[[], str]


def _knows_all(message: Message) -> bool:
    del message
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T_co]):
    """One RPC with one request.

    Attributes:
        method: Full gRPC path, `/tabard.v1.Service/Method`.
        request: The message to send.
        response: Class of the messages that come back.
        read: Makes the SDK's value of each.
        knows: False for messages to pass over: events newer than this SDK.
        metadata: Request metadata besides the connection's own.
        timeout_seconds: Deadline; None takes the client's own, and none at all for a stream.
    """

    method: str
    request: Message
    response: type[Any]
    read: Callable[[Any], T_co]
    knows: Callable[[Any], bool] = _knows_all
    metadata: Metadata = ()
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Generic[T_co]):
    """One RPC that streams requests; `requests()` starts a fresh stream each time."""

    method: str
    requests: Callable[[], Iterator[Message]] = field(repr=False)
    request_type: type[Message]
    response: type[Any]
    read: Callable[[Any], T_co]
    timeout_seconds: float | None = None
