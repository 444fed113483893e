# SPDX-License-Identifier: Apache-2.0
"""Waits for processes as long as they get on, however slow the machine is; fails with their log."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tabard.cli.demo.progress import PATIENCE_SECONDS, POLL_SECONDS, Progress, signs_of_life

LOG_TAIL_CHARACTERS = 4_000

_Found = TypeVar("_Found")


def await_process(
    process: subprocess.Popen[bytes],
    found: Callable[[], _Found],
    *,
    log: Path,
    what: str,
    patience_seconds: float = PATIENCE_SECONDS,
) -> _Found:
    """Wait until `found` finds something, and return that.

    Raises:
        AssertionError: The process ended before, or has neither said nor done anything for so long.
    """
    progress = Progress(
        lambda: signs_of_life(process.pid, log=log), patience_seconds=patience_seconds
    )
    while True:
        code = process.poll()
        # Asked after the poll: what it did just before it ended counts.
        if one := found():
            return one
        if code is not None:
            raise AssertionError(f"{what}: it ended with {code}\n{log_tail(log)}")
        if progress.has_stopped():
            stuck = f"{what}: it has done nothing for {patience_seconds:g} s"
            raise AssertionError(f"{stuck}\n{log_tail(log)}")
        time.sleep(POLL_SECONDS)


def await_end(process: subprocess.Popen[bytes], *, log: Path) -> int:
    """Wait until a process ends; return its exit code."""
    await_process(
        process, lambda: process.poll() is not None, log=log, what="the process does not end"
    )
    return process.returncode


@contextmanager
def log_in_failure(log: Path) -> Iterator[None]:
    """Show the end of a server's log with whatever fails in a block."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"the server said, in {log_tail(log)}")
        raise


def log_tail(log: Path) -> str:
    """Give the end of a log, and where the whole of it is."""
    told = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return f"{log}:\n{told[-LOG_TAIL_CHARACTERS:] or '(it is empty)'}"
