# SPDX-License-Identifier: Apache-2.0
"""One call between its caller and a servicer: messages both ways, each waited for at a pace.

In: gRPC's context. Out: the same for servicers, where a caller that keeps a stream
waiting ends it with a typed error.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.message import Message

from tabard_registry.identity.identity import ANYBODY
from tabard_server.callers.caller import OPERATORS, Caller
from tabard_server.callers.pace import Pace
from tabard_server.callers.places import Place
from tabard_server.errors import OutOfTime, TooLarge, invalid
from tabard_server.identity.credentials import UNASKED, Session
from tabard_server.limits import Limits
from tabard_server.rpc.door.peers import caller_known_as
from tabard_server.rpc.door.wire import Shape
from tabard_server.threads import Threads

T = TypeVar("T")
M = TypeVar("M", bound=Message)

_SENT_BYTES_MIN = 16_384
"""What a message to a caller counts as at least: progress is small, and often."""
_THREAD_BYTES_MIN = 1 << 20
"""From here on, parsing a message would hold up the others for longer than a thread takes."""


class Exchange:
    """What a servicer knows of its call; it writes by this, so nobody waits for ever for a reader.

    Attributes:
        caller: Who calls, as far as places go.
        context: gRPC's own.
        identity: Who calls, as far as roles go; anybody where nobody is asked.
        session: How that is known.
        place: What its work holds, and others may want; None: nothing.
        has_written: Whether the caller was sent something.
    """

    place: Place | None = None
    has_written: bool = False

    def __init__(
        self,
        context: grpc.aio.ServicerContext[Any, Any],
        *,
        caller: Caller,
        threads: Threads,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take gRPC's context, who calls, and the threads where large messages are parsed."""
        self.caller = caller
        self.context = context
        self.identity = ANYBODY
        self.session = UNASKED
        self._threads = threads
        self._limits = limits
        self._clock = clock
        # The longest that a caller needs for one message who is not too slow.
        self._wanted_idle_seconds_max = (
            limits.upload_chunk_bytes_max / limits.stream_bytes_per_second_min
        )
        self._receiving = Pace(
            idle_seconds_max=limits.stream_idle_seconds_max,
            bytes_per_second_min=limits.stream_bytes_per_second_min,
        )
        self._sending = Pace(
            idle_seconds_max=limits.stream_idle_seconds_max,
            bytes_per_second_min=limits.stream_bytes_per_second_min,
            message_bytes_min=_SENT_BYTES_MIN,
        )

    @property
    def is_anybodys(self) -> bool:
        """Whether nobody asked who calls."""
        return self.session is UNASKED

    def know(self, session: Session) -> None:
        """Learn who calls: from now on it is they who hold what the call holds.

        Operators keep the places that are theirs.
        """
        self.session, self.identity = session, session.identity
        if self.caller is not OPERATORS:
            self.caller = caller_known_as(session.identity)

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller's deadline; None: there is none."""
        return self.context.time_remaining()

    def said(self, key: str) -> str:
        """Return what the caller says in its metadata; empty: nothing, or more than one thing."""
        found = [value for name, value in self.context.invocation_metadata() or () if name == key]
        return found[0] if len(found) == 1 and isinstance(found[0], str) else ""

    async def abort(self, code: grpc.StatusCode, details: str, **trailing: Any) -> NoReturn:
        """End the call with a status. Waits until the caller has taken it, or is gone."""
        await self.context.abort(code, details, **trailing)
        raise AssertionError("an aborted call goes on")

    async def message(self, shape: Shape, *, as_type: type[M]) -> M:
        """Return the one message of the call.

        Raises:
            InvalidRequest: There is none, or it is none that may be sent.
            OutOfTime: It did not come.
        """
        found = await self._next(shape, as_type=as_type)
        if found is None:
            raise invalid(
                "",
                "the call ended without its message",
                reason="MALFORMED_MESSAGE",
                hint="send one message",
            )
        return found

    async def messages(self, shape: Shape, *, as_type: type[M]) -> AsyncIterator[M]:
        """Yield the messages of the call. Raises as `message`."""
        while (found := await self._next(shape, as_type=as_type)) is not None:
            yield found

    async def write(self, message: Message) -> None:
        """Send a message, and wait until there is room for the next one.

        Raises:
            OutOfTime: The caller does not read.
            TooLarge: It is larger than a message may be.
        """
        await self.send(message.SerializeToString())

    async def send(self, data: bytes) -> None:
        """Send a message that is written already. Raises as `write`."""
        self.check_size(data)
        self.has_written = True
        await self._wait(
            self.context.write(data),
            self._sending,
            size_of=lambda _nothing: len(data),
            reason="READER_IDLE",
            message="the caller did not take what it asked for in time",
        )

    def check_size(self, data: bytes) -> bytes:
        """Return a message that is written, if it may be sent.

        Raises:
            TooLarge: It is larger than a message may be.
        """
        if len(data) > self._limits.message_bytes_max:
            raise TooLarge(
                f"the answer has {len(data)} bytes, at most {self._limits.message_bytes_max}",
                reason="ANSWER_TOO_LARGE",
                hint="ask for fewer at once (limits.message_bytes_max)",
            )
        return data

    async def _next(self, shape: Shape, *, as_type: type[M]) -> M | None:
        data = await self._wait(
            self.context.read(),
            self._receiving,
            size_of=lambda data: 0 if data is grpc.aio.EOF else len(data),
            reason="CALLER_IDLE",
            message="the next message of the caller did not come in time",
        )
        if data is grpc.aio.EOF:
            return None
        if len(data) < _THREAD_BYTES_MIN:
            return shape.read(data, as_type=as_type)
        return await self._threads.run(shape.read, data, as_type=as_type)

    async def _wait(
        self,
        work: Awaitable[T],
        pace: Pace,
        *,
        size_of: Callable[[T], int],
        reason: str,
        message: str,
    ) -> T:
        """Await what only the caller can bring about."""
        begun_at = self._clock()
        try:
            async with asyncio.timeout(pace.seconds_left) as timer:
                with self._hurried_when_wanted(timer):
                    done = await work
        except TimeoutError:
            limits = self._limits
            raise OutOfTime(
                message,
                reason=reason,
                hint=f"within {limits.stream_idle_seconds_max:g} s at once, and not slower than "
                f"{limits.stream_bytes_per_second_min:g} bytes a second on the whole "
                "(limits.stream_idle_seconds_max, limits.stream_bytes_per_second_min); within "
                f"{self._wanted_idle_seconds_max:g} s while others wait for the place",
            ) from None
        except grpc.aio.InternalError as error:
            # The caller has gone, and gRPC is about to cancel the call: to the work it is the same.
            raise asyncio.CancelledError from error
        pace.note(waited_seconds=self._clock() - begun_at, size_bytes=size_of(done))
        return done

    @contextmanager
    def _hurried_when_wanted(self, timer: asyncio.Timeout) -> Iterator[None]:
        """Wait for a caller no longer than it may need, once others wait for its place."""
        place, loop = self.place, asyncio.get_running_loop()
        if place is None:
            yield
            return
        latest = loop.time() + self._wanted_idle_seconds_max

        def hurry() -> None:
            until = timer.when()
            if until is not None and until > latest and not timer.expired():
                timer.reschedule(max(latest, loop.time()))

        if place.is_wanted:
            hurry()
        place.on_wanted = hurry
        try:
            yield
        finally:
            place.on_wanted = None
