# SPDX-License-Identifier: Apache-2.0
"""A real server as a process of its own, for as long as a `with` block lasts.

Started as a user would start it; it never outlives the block, whatever ends the block.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tabard.cli.demo import folder as names
from tabard.cli.demo.progress import PATIENCE_SECONDS, POLL_SECONDS, Progress, signs_of_life
from tabard.errors import Unavailable

TABARD_SERVE = (sys.executable, "-m", "tabard", "serve")
STOP_SECONDS_MAX = 15.0
LOG_TAIL_LINES = 20
TORCH_THREADS = 1


@contextmanager
def running_server(
    folder: Path, *, command: Sequence[str] = TABARD_SERVE, base: str = "demo"
) -> Iterator[str]:
    """Start `tabard serve` on the folder's registry and give its address; stop it at the end.

    `command` is what to run instead, with the same options appended; `base` is what it serves.

    Raises:
        Unavailable: The server ended, or made no progress before it listened.
    """
    with (folder / names.SERVER_LOG).open("ab") as log:
        process = _start(command, base=base, folder=folder, log=log)
        try:
            yield _wait_until_ready(process, folder / names.READY_FILE)
        finally:
            _stop(process)
            (folder / names.READY_FILE).unlink(missing_ok=True)


def log_tail(folder: Path) -> str:
    """Give the last lines of the server's log."""
    path = folder / names.SERVER_LOG
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])


def environment() -> dict[str, str]:
    """Give the environment of the demo's processes: somebody's settings are not the demo's."""
    return {key: one for key, one in os.environ.items() if not key.startswith("TABARD_")}


def _start(
    command: Sequence[str], *, base: str, folder: Path, log: BinaryIO
) -> subprocess.Popen[bytes]:
    options = ["--base", base, "--registry", (folder / names.REGISTRY).as_uri()]
    options += ["--listen", "127.0.0.1:0", "--metrics-listen", ""]
    options += ["--ready-file", str(folder / names.READY_FILE)]
    # The demo base is so small that a second thread costs more in waiting than it gives.
    options += ["--torch-threads", str(TORCH_THREADS)]
    return subprocess.Popen(
        [*command, *options],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment(),
        # Ctrl-C must reach the demo alone, which then stops the server in order.
        start_new_session=True,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], ready_file: Path) -> str:
    log = ready_file.with_name(names.SERVER_LOG)
    progress = Progress(lambda: signs_of_life(process.pid, log=log))
    while not progress.has_stopped():
        if process.poll() is not None:
            raise Unavailable(
                f"the demo server ended with code {process.returncode} before it listened",
                reason="DEMO_SERVER_ENDED",
                hint=f"its log is {log}",
            )
        address = _read_address(ready_file)
        if address:
            return address
        time.sleep(POLL_SECONDS)
    raise Unavailable(
        f"the demo server does not listen, and has done nothing for {PATIENCE_SECONDS:.0f} s",
        reason="DEMO_SERVER_STUCK",
        hint=f"its log is {log}",
    )


def _read_address(ready_file: Path) -> str:
    try:
        return str(json.loads(ready_file.read_text(encoding="utf-8"))["address"])
    except (FileNotFoundError, json.JSONDecodeError):  # not written yet, or not completely
        return ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        pass  # it has had its chance
    finally:  # also when a second Ctrl-C ends the wait
        process.kill()
        process.wait()
