# SPDX-License-Identifier: Apache-2.0
"""The values that both clients send: a call with one request, and one that is asked for pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tabard.errors import FieldViolation, InvalidArgument, TabardError
from tabard.patience import Given, Metadata
from tabard.routing import KnownBases, KnownServers
from tabard.v1 import adapter_pb2

E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)

Rpc = tuple[str, Callable[[Any], bytes], Callable[[bytes], Any]]
"""Path, `/tabard.v1.Service/Method`; how a request is written; how a response is read."""

_PAGE_SIZE_MAX = (1 << 31) - 1
"""What a page size can be; a server has a bound of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, where fresh ids for idempotent acts come from, and which bases are asked for.

    Attributes:
        actor: Who acts.
        new_id: Gives a fresh id.
        base: The base to draw on, by its fingerprint; empty: that which the releases need.
        bases: What servers said of that.
        servers: What they said of who keeps which jobs.
    """

    actor: str
    new_id: Callable[[], str]
    base: str = ""
    bases: KnownBases = field(default_factory=KnownBases)
    servers: KnownServers = field(default_factory=KnownServers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T_co]):
    """One RPC with one request.

    Attributes:
        request: The message to send; its type says which RPC it is.
        read: Makes the SDK's value of each.
        knows: False for messages to pass over: events newer than this SDK.
        given: What was given of a call that is safe to send again after it has begun: the server
            then gives the same answer from its beginning. None: it is not.
        metadata: Request metadata besides the connection's own.
        on_base: Told which base the releases of the request need, if a server has another one.
        on_server: Told which server keeps the job of the request, and its base, if another does.
        timeout_seconds: Deadline; None takes the client's own, and none at all for a stream.
    """

    request: Message
    read: Callable[[Any], T_co]
    knows: Callable[[Any], bool] = lambda _message: True
    given: Given | None = None
    metadata: Metadata = ()
    on_base: Callable[[str], None] | None = None
    on_server: Callable[[str, str], None] | None = None
    timeout_seconds: float | None = None

    @property
    def rpc(self) -> Rpc:
        """What a channel is asked for."""
        return rpc_taking(type(self.request))

    def on(self, channel: Any) -> tuple[Callable[..., Any], Message]:
        """Give what sends it over a channel, gRPC's or that of its asyncio, and what to send."""
        return channel.unary_unary(*self.rpc), self.request


class Requests(Iterator[Message]):
    """A stream of requests that keeps why it broke off: gRPC tells nobody.

    Attributes:
        failure: What its source raised; None as long as all is well.
    """

    def __init__(self, messages: Iterator[Message]) -> None:
        self._messages = messages
        self.failure: TabardError | None = None

    def __next__(self) -> Message:
        try:
            return next(self._messages)
        except TabardError as error:
            self.failure = error
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages(Generic[E, T_co]):
    """One RPC that is asked again and again, because its answer comes in pages.

    Attributes:
        ask: Makes the call of one page, from how many are wanted, 0 being the server's own number,
            and the token of the page before. Its value is what is on the page, and its token.
        limit: How many there shall be in all; 0: one page as it is, None: every page.
        gather: Makes the answer of all that was found, and of whether there is more.

    Raises:
        InvalidArgument: The limit is below 0.
    """

    ask: Callable[[int, str], Call[tuple[tuple[E, ...], str]]]
    limit: int | None
    gather: Callable[[tuple[E, ...], bool], T_co]

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 0:
            raise unfit("limit", self.limit, hint="use a whole number; 0 is the server's default")

    def next(
        self, found: tuple[E, ...], token: str | None
    ) -> Call[tuple[tuple[E, ...], str]] | None:
        """Give the call of the next page; None when there is enough, or no more.

        The token is that of the page before, which may have been empty; None before the first.
        """
        wanted = max(0, (self.limit or 0) - len(found))
        if token is None or (token and (self.limit is None or wanted)):
            return self.ask(wanted, token or "")
        return None


def pages_of(
    request: Message, field: str, read: Callable[[Any], E], *, limit: int | None = None
) -> Pages[E, tuple[E, ...]]:
    """Give the pages of a request, whose answers have what is asked for in a field."""

    def ask(size: int, token: str) -> Call[tuple[tuple[E, ...], str]]:
        page: Any = type(request)()
        page.CopyFrom(request)
        page.page_size, page.page_token = min(size, _PAGE_SIZE_MAX), token
        return Call(
            request=page,
            read=lambda answer: (tuple(map(read, getattr(answer, field))), answer.next_page_token),
        )

    return Pages(ask=ask, limit=limit, gather=lambda found, _is_more: found)


def weighted(refs: str | Iterable[str], *, what: str) -> list[adapter_pb2.WeightedRef]:
    """Give the messages of refs that say their own weights; one may stand alone.

    Args:
        refs: As `acme/ink:0.8`.
        what: The parameter that they are, for an error.

    Raises:
        TypeError: They are something else; the weights of a mapping would be lost.
    """
    texts = each(refs)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{what} are texts such as 'acme/ink:0.8', not {text!r}")
    return [adapter_pb2.WeightedRef(ref=text) for text in texts]


def each(refs: Any) -> list[Any]:
    """Give what may stand alone or in a list as a list."""
    is_list = isinstance(refs, Iterable) and not isinstance(refs, (str, Mapping))
    return list(refs) if is_list else [refs]


def out_of_range(name: str, value: object, *, field: Any, besides: str = "") -> InvalidArgument:
    """Return the error of a number that a field of a message cannot hold.

    Args:
        name: What the caller calls it.
        value: What was said.
        field: Descriptor of the field; one that is a message has numbers of 32 bits.
        besides: What else may be said.
    """
    most = (1 << (64 if field.cpp_type == field.CPPTYPE_UINT64 else 32)) - 1
    return unfit(name, value, hint=f"use whole numbers from 0 to {most}{besides}")


def unfit(name: str, value: object, *, hint: str) -> InvalidArgument:
    """Return the error of a number that a parameter cannot have."""
    message = f"{name} {value!r} is out of range"
    violation = FieldViolation(field=name, description=message)
    return InvalidArgument(message, reason="VALUE_OUT_OF_RANGE", hint=hint, violations=(violation,))


def rpc_taking(request: type[Message]) -> Rpc:
    """Find the RPC of a request: by a rule of the API each RPC has a request type of its own."""
    services = request.DESCRIPTOR.file.services_by_name.values()
    rpcs = (rpc for service in services for rpc in service.methods)
    found: Any = next(rpc for rpc in rpcs if rpc.input_type is request.DESCRIPTOR)
    response = GetMessageClass(found.output_type)
    path = f"/{found.containing_service.full_name}/{found.name}"
    return path, request.SerializeToString, response.FromString
