# SPDX-License-Identifier: Apache-2.0
"""The gateway beside a server that `tabard serve` runs: a process of its own, `tabard web`.

It begins once the server listens, ends with it whatever becomes of it, and may end before it.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tabard.cli.local.extras import missing_extra
from tabard.cli.output import Output
from tabard.errors import InvalidArgument

WEB_EXTRA = "web"
STOP_SECONDS_MAX = 40.0
"""More than a gateway takes to end; then it is killed."""

_ANYWHERE = re.compile(r"^(?:0\.0\.0\.0|\[::\])(?=:)")


@contextmanager
def gateway_beside(
    listen: str | None, *, insecure: bool, speaks_tls: bool, output: Output
) -> Iterator[Callable[[str], None]]:
    """Give what starts the gateway, told where the server listens; it is stopped at the end.

    Args:
        listen: Where the gateway listens; None: there is none.
        insecure: Whether it may listen where others can read along.
        speaks_tls: Whether the server does.
        output: Where it is told that the gateway ended by itself.

    Raises:
        FailedPrecondition: The extra `web` is not installed.
        InvalidArgument: The address cannot be had, or the gateway could not reach the server.
    """
    if listen is None:
        yield lambda _address: None
        return
    _require(listen, insecure=insecure, speaks_tls=speaks_tls)
    started: list[subprocess.Popen[bytes]] = []

    def start(address: str) -> None:
        command = ["web", "--address", reached_at(address), "--listen", listen]
        command += ["--quiet", "--ends-with-stdin", *(["--insecure"] if insecure else [])]
        process = subprocess.Popen(
            [sys.executable, "-m", "tabard", *command],
            # Nobody writes there: that it ends tells the gateway that this process has.
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno() if output.is_json else None,
        )
        started.append(process)
        watch = threading.Thread(target=_tell_end, args=(process, output), daemon=True)
        watch.start()

    try:
        yield start
    finally:
        for process in started:
            stop_gateway(process)


def stop_gateway(process: subprocess.Popen[bytes]) -> None:
    """Let a gateway end that was started with `--ends-with-stdin`; kill it if it does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def reached_at(address: str) -> str:
    """Give where this machine reaches a server that listens at an address."""
    return _ANYWHERE.sub("127.0.0.1", address)


def _require(listen: str, *, insecure: bool, speaks_tls: bool) -> None:
    """See that the gateway can begin, before the base is loaded: that takes minutes."""
    with missing_extra(WEB_EXTRA, needed_for="tabard serve --web"):
        serving: Any = importlib.import_module("tabard_web.serving")
    if speaks_tls:
        raise InvalidArgument(
            "a gateway beside a server that speaks TLS does not know by which name to ask it",
            reason="GATEWAY_NEEDS_NAME",
            hint="run it by itself: tabard web --address grpcs://NAME:PORT --listen HOST:PORT",
        )
    serving.open_socket(serving.read_place(listen, insecure=insecure)).close()


def _tell_end(process: subprocess.Popen[bytes], output: Output) -> None:
    code = process.wait()
    assert process.stdin is not None
    if not process.stdin.closed:
        output.say(f"the gateway ended by itself (exit code {code}); the server goes on without it")
