# SPDX-License-Identifier: Apache-2.0
"""Tells what started this process how it stands, where it wants to know: systemd, by datagrams.

In: the variables of systemd's protocol (`NOTIFY_SOCKET`, `WATCHDOG_USEC`) and the server's state.
Out: READY, STATUS, STOPPING, and a sign of life while the engine gives one. Where nobody wants to
know, nothing is sent. Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Self

from tabard_server.life.readiness import Readiness
from tabard_server.telemetry.logs import log_problem

_NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_TEXT_CHARS_MAX = 400
_ABSTRACT = "@"
_SIGNS_PER_BOUND = 3.0


class Supervisor:
    """Whoever waits for word of this process; nobody, if no address is said. Asyncio thread."""

    def __init__(self, address: str = "", *, bound_seconds: float | None = None) -> None:
        """Take where it listens.

        Args:
            address: Path of a unix datagram socket, `@name` for an abstract one; empty: nobody.
            bound_seconds: How long it waits for a sign of life before it ends this process; None:
                it does not.
        """
        self._address = address
        self._every_seconds = None if bound_seconds is None else bound_seconds / _SIGNS_PER_BOUND
        self._has_failed = False
        self._is_ready = False
        self._said = ""

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> Self:
        """Read who waits, and take it out of the variables: no child of this process shall answer.

        Words meant for another process, and times that are none, count as not said.
        """
        said = {name: environment.pop(name, "") for name in _NAMES}
        is_mine = said["WATCHDOG_PID"] in ("", str(os.getpid()))
        micros = int(said["WATCHDOG_USEC"]) if said["WATCHDOG_USEC"].isdecimal() else 0
        return cls(
            said["NOTIFY_SOCKET"], bound_seconds=micros / 1e6 if micros and is_mine else None
        )

    @asynccontextmanager
    async def hearing_of(self, readiness: Readiness) -> AsyncIterator[None]:
        """Tell the state whenever it changes, and give signs of life while a restart is no cure.

        A server whose engine is silent though it has work gives none, and one whose event loop
        hangs can give none.
        """
        telling = asyncio.create_task(self._tell(readiness), name="tabard-supervisor")
        try:
            yield
        finally:
            telling.cancel()

    def ready(self) -> None:
        """Tell that jobs are taken. Idempotent."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1")

    def stopping(self) -> None:
        """Tell that it stops, by a signal or by itself."""
        self._send("STOPPING=1")

    async def _tell(self, readiness: Readiness) -> None:
        while self._address:
            # Taken before the state is told: no change is missed.
            change = readiness.change
            self._tell_state(readiness)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_seconds):
                    await change.wait()

    def _tell_state(self, readiness: Readiness) -> None:
        causes = "; ".join(cause.message for cause in readiness.causes)
        text = f"{readiness.state.value}: {causes}" if causes else readiness.state.value
        # A status is a line.
        text = " ".join(text.split())[:_TEXT_CHARS_MAX]
        lines = [] if text == self._said else [f"STATUS={text}"]
        self._said = text
        if self._every_seconds is not None and readiness.state.is_live:
            lines.append("WATCHDOG=1")
        if lines:
            self._send("\n".join(lines))

    def _send(self, words: str) -> None:
        if not self._address:
            return
        is_abstract = self._address.startswith(_ABSTRACT)
        address = f"\0{self._address[1:]}" if is_abstract else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
                opened.setblocking(False)
                opened.sendto(words.encode(), address)
        except OSError as error:
            # Once: what does not listen now does not listen later, and images matter more.
            if not self._has_failed:
                self._has_failed = True
                log_problem("supervisor.not_told", message=str(error))
