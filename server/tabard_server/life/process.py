# SPDX-License-Identifier: Apache-2.0
"""The process around one server: its signals and its end, come what may.

In: a server as a coroutine. Out: the exit code of the process. Nothing here is for hosts that run a
server among other things.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.threads import Daemon

EXIT_ABANDONED = 10
"""Exit code of a server that ended though some of its threads were still at work."""

_LAST_SECONDS_MIN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a server ended.

    Attributes:
        jobs_cut_off: Jobs that were not done.
        abandoned: What was still at work when its time was over.
        seconds_left: What is left of the bound of its stop.
    """

    jobs_cut_off: int = 0
    abandoned: Sequence[str] = ()
    seconds_left: float = 0.0


def run_to_the_end(server: Coroutine[Any, Any, Ending]) -> int:
    """Run a server in the main thread; return 0, or let the process end with `EXIT_ABANDONED`.

    The caller exits right after it, and Python waits for worker threads when it does. Once the
    server is over they have what is left of its bound; then the process ends without them.

    Raises:
        Exception: Whatever the server raises: it did not start.
    """
    is_closed = threading.Event()
    try:
        asyncio.run(_until_end(server, is_closed=is_closed))
    finally:
        is_closed.set()
    # Python would search all that torch brought for garbage on its way out: seconds, and no thread
    # that keeps a bound has its turn then.
    gc.disable()
    gc.freeze()
    return 0


async def _until_end(server: Coroutine[Any, Any, Ending], *, is_closed: threading.Event) -> None:
    ending = Ending()
    try:
        ending = await server
    finally:
        # Returning would run the destructors of libraries below threads that still use them.
        if ending.abandoned:
            _leave(ending.abandoned)
        seconds = max(_LAST_SECONDS_MIN, ending.seconds_left)
        Daemon("tabard-end", partial(_see_to_the_end, seconds, is_closed=is_closed)).start()


def hear_signals(*, stop: asyncio.Event, hurry: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT stop the server, a second one at once; SIGHUP ends nothing.

    Does nothing in any thread but the main one, which alone is told of signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, partial(_stop, number, stop=stop, hurry=hurry))
    loop.add_signal_handler(signal.SIGHUP, partial(log_event, "server.hangup_ignored"))


def _stop(number: signal.Signals, *, stop: asyncio.Event, hurry: asyncio.Event) -> None:
    log_event("server.signalled", signal=number.name, at_once=stop.is_set())
    (hurry if stop.is_set() else stop).set()


def _see_to_the_end(seconds: float, *, is_closed: threading.Event) -> None:
    """Let neither the event loop nor Python wait for threads longer than this."""
    if not is_closed.wait(seconds):
        _leave(_threads_at_work() or ["event loop"])
    time.sleep(seconds)
    if names := _threads_at_work():
        _leave(names)


def _threads_at_work() -> list[str]:
    """Return the names of the threads that Python waits for."""
    main = threading.main_thread()
    return [one.name for one in threading.enumerate() if one is not main and not one.daemon]


def _leave(abandoned: Sequence[str]) -> NoReturn:
    """End the process now: the last resort."""
    log_problem("server.abandoned", what=", ".join(abandoned), exit_code=EXIT_ABANDONED)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(EXIT_ABANDONED)
