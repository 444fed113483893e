# SPDX-License-Identifier: Apache-2.0
"""The page of what a demo left behind: a server on its registry and a gateway, until Ctrl-C."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tabard.cli.demo.server_process import environment, running_server
from tabard.cli.local.extras import missing_extra
from tabard.cli.local.gateway import WEB_EXTRA, stop_gateway
from tabard.cli.output import Output
from tabard.errors import Unavailable

_NEEDED_FOR = "tabard demo --open"


def require_page() -> None:
    """See that there can be a page, before minutes are spent on a demo.

    Raises:
        FailedPrecondition: The extra `web` is not installed.
    """
    with missing_extra(WEB_EXTRA, needed_for=_NEEDED_FOR):
        importlib.import_module("tabard_web.app")


def show_page(
    folder: Path,
    *,
    output: Output,
    start_server: Callable[[Path], Any] = running_server,
    browse: Callable[[str], Any] = webbrowser.open,
) -> None:
    """Serve what lies in a demo's folder with a page, and show that; until Ctrl-C.

    Raises:
        Unavailable: The server or the gateway did not start, or the gateway ended by itself.
    """
    try:
        with start_server(folder) as address, _gateway(address) as (gateway, url):
            output.say(f"the page: {url}; stop with Ctrl-C")
            browse(url)
            code = gateway.wait()
    except KeyboardInterrupt:
        return
    raise _ended(code)


@contextmanager
def _gateway(address: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start `tabard web` on a port of the system's choice; give it and its URL."""
    command = ["web", "--json", "--address", address, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tabard", *command, "--ends-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        # Ctrl-C is for the demo alone, which then stops both in order.
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        with process.stdout as said:
            line = said.readline()
        if not line:
            raise _ended(process.wait())
        yield process, str(json.loads(line)["address"])
    finally:
        stop_gateway(process)


def _ended(code: int) -> Unavailable:
    return Unavailable(
        f"the gateway of the demo ended with code {code}",
        reason="DEMO_SERVER_ENDED",
        hint="what it said stands above",
    )
