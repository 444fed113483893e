# SPDX-License-Identifier: Apache-2.0
"""What tests wait for: a slow process as long as it gets on, a dead or stuck one not at all."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting.processes import await_end, await_process, log_in_failure, log_tail

SLOW = """
import pathlib, sys, time
time.sleep(1)
pathlib.Path(sys.argv[1]).touch()
"""


@contextmanager
def started(program: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder / "ready")], stdout=log, stderr=log
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def await_ready(
    process: "subprocess.Popen[bytes]", folder: Path, *, patience_seconds: float = 120.0
) -> None:
    ready, log = folder / "ready", folder / "log"
    await_process(
        process,
        ready.exists,
        log=log,
        what="it did not start",
        patience_seconds=patience_seconds,
    )


def test_stopped_process_is_waited_for(tmp_path: Path) -> None:
    """A pause is not the end: it goes on after it, and nobody has given up."""
    with started(SLOW, tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        threading.Timer(2.0, process.send_signal, [signal.SIGCONT]).start()
        await_ready(process, tmp_path)

        assert await_end(process, log=tmp_path / "log") == 0


def test_dead_process_fails_at_once_with_its_log(tmp_path: Path) -> None:
    """Its exit code and the end of its log are in the failure."""
    with (
        started("import sys; print('x' * 9999); print('no base here'); sys.exit(3)", tmp_path) as p,
        pytest.raises(AssertionError, match="it did not start: it ended with 3") as caught,
    ):
        await_ready(p, tmp_path)

    assert str(caught.value).endswith("xxx\nno base here\n")


def test_stuck_process_fails_with_its_log(tmp_path: Path) -> None:
    """Neither a line nor a second of computing within the patience."""
    log = tmp_path / "log"
    with started("import time; print('loading', flush=True); time.sleep(600)", tmp_path) as process:
        await_process(process, lambda: log.stat().st_size, log=log, what="it says nothing")

        with pytest.raises(AssertionError, match=r"has done nothing for 0.5 s\n.*\nloading"):
            await_ready(process, tmp_path, patience_seconds=0.5)


def test_failure_shows_the_log(tmp_path: Path) -> None:
    """Whatever fails while a server runs, what the server said stands below it."""
    log = tmp_path / "log"
    log.write_text("a traceback\n")

    with pytest.raises(KeyError) as caught, log_in_failure(log):
        {}["nothing"]

    assert "a traceback" in caught.value.__notes__[0]


def test_empty_log_is_told(tmp_path: Path) -> None:
    """Nothing said is something to know."""
    assert log_tail(tmp_path / "log").endswith("(it is empty)")
