# SPDX-License-Identifier: Apache-2.0
"""A sealed process can do nothing: were a pickle to run code, it would run it here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, os, resource, socket, subprocess, sys, threading
from tabard_server.pickles import sandbox
"x".encode("idna")  # what `socket` would import later
canary, is_sealed = sys.argv[1], sys.argv[2] == "sealed"
alone = sandbox.leave_network() if is_sealed else False
if is_sealed:
    sandbox.seal(memory_bytes_max=64 << 20, seconds_max=30)

def attempt(act):
    try:
        return str(act())
    except (OSError, MemoryError, RuntimeError, ValueError) as error:
        return type(error).__name__

told = {
    "write": attempt(lambda: open(canary + "-write", "w").close()),
    "system": attempt(lambda: os.system("touch " + canary + "-system")),
    "process": attempt(lambda: subprocess.run(["touch", canary + "-process"]).returncode),
    "socket": attempt(lambda: socket.socket().close()),
    "fork": attempt(lambda: os._exit(0) if os.fork() == 0 else os.wait()[1]),
    "thread": attempt(lambda: threading.Thread(target=print, args=("",)).start()),
    "memory": attempt(lambda: len(bytearray(512 << 20))),
    "root": attempt(lambda: os.setuid(0)),
    "more": attempt(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))),
    "environment": sorted(os.environ),
    "uid": os.getuid(),
}
sys.stdout.write("\\n" + json.dumps(told) + "\\n")
sys.stdout.flush()
try:
    os.execv("/bin/sh", ["sh", "-c", "touch " + canary + "-exec"])
except OSError:
    pass
"""
ATTEMPTS = ("write", "system", "process", "socket", "fork", "thread", "memory", "more")


def told(canary: Path, *, is_sealed: bool) -> dict[str, Any]:
    """Run the attempts in a process of their own; return what became of each."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(canary), "sealed" if is_sealed else "open"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={},
        timeout=120,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout.decode().strip().splitlines()[-1])
    return found


def test_sealed_process_can_do_nothing(tmp_path: Path) -> None:
    """No attempt succeeds, and no canary is there, not even from a program put in its place."""
    tmp_path.chmod(0o777)

    found = told(tmp_path / "canary", is_sealed=True)

    failed = {name: found[name] for name in ATTEMPTS}
    assert failed.pop("system") != "0"
    assert set(failed.values()) <= {
        "OSError",
        "PermissionError",
        "BlockingIOError",
        "MemoryError",
        "RuntimeError",
        "ValueError",
    }, failed
    assert found["uid"] != 0
    assert found["root"] == "PermissionError"
    assert set(found["environment"]) <= {"LC_CTYPE"}
    assert list(tmp_path.glob("canary*")) == []


@pytest.mark.parametrize("name", ["write", "system", "process", "socket", "fork", "memory"])
def test_open_process_can_do_it(name: str, opened: dict[str, Any]) -> None:
    """Without the seal each attempt succeeds, so the test above sees what it forbids."""
    assert opened[name] in ("None", "0", str(512 << 20))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return told(tmp_path_factory.mktemp("open") / "canary", is_sealed=False)
