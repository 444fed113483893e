# SPDX-License-Identifier: Apache-2.0
"""The demo's server is a process of its own, and is gone when the block ends, however it ends."""

import os
import sys
from pathlib import Path

import pytest

import tabard
from tabard.cli.demo.server_process import log_tail, running_server

LISTENS = """
import json, os, pathlib, sys, time
assert not [name for name in os.environ if name.startswith("TABARD_")]
ready = pathlib.Path(sys.argv[sys.argv.index("--ready-file") + 1])
ready.write_text(json.dumps({"address": f"127.0.0.1:{os.getpid()}"}))
time.sleep(600)
"""
FAILS = "import sys; print('no base here'); sys.exit(3)"


def _program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_server_ends_with_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs inside the block, without the caller's settings, and not after it."""
    monkeypatch.setenv("TABARD_REGISTRY", "somebody's")

    with running_server(tmp_path, command=_program(LISTENS)) as address:
        process_id = int(address.rpartition(":")[2])
        assert _is_running(process_id)

    assert not _is_running(process_id)


def test_interrupt_stops_server(tmp_path: Path) -> None:
    """Ctrl-C inside the block leaves no process behind."""
    process_id = 0

    with (
        pytest.raises(KeyboardInterrupt),
        running_server(tmp_path, command=_program(LISTENS)) as address,
    ):
        process_id = int(address.rpartition(":")[2])
        raise KeyboardInterrupt

    assert not _is_running(process_id)


def test_failed_start_shows_log(tmp_path: Path) -> None:
    """A server that ends early is told with its code, and its log can be shown."""
    with (
        pytest.raises(tabard.Unavailable, match="code 3") as caught,
        running_server(tmp_path, command=_program(FAILS)),
    ):
        pass

    assert caught.value.reason == "DEMO_SERVER_ENDED"
    assert "no base here" in log_tail(tmp_path)
