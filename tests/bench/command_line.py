# SPDX-License-Identifier: Apache-2.0
"""What a command costs before it does anything: processor time beside a bare `import grpc, click`.

The server is the tests' fake, in this process: what is measured is the command's own. All take
turns, so that what slows one slows the others. Modules are compiled once, as an installer does.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tabard import Client
from tests.clients.fakes.server import FakeServer

PROMISED = 1.5
"""What a remote command may cost, as a multiple of the bare imports."""

_BARE = ("-c", "import grpc, click")
_REF = "acme/ink@1.0.0"
_REMOTE = {
    "tabard list": ("list",),
    "tabard status": ("status",),
    "tabard history": ("history",),
    "tabard promote": ("promote", _REF),
}

Numbers = dict[str, list[float]]


def run(*, rounds: int) -> Numbers:
    """Return the processor seconds of each process, by what it runs."""
    with FakeServer() as server, TemporaryDirectory() as compiled:
        _publish(server.address)
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        commands = {
            "import grpc, click": _BARE,
            "tabard --help": ("-m", "tabard", "--help"),
            **{
                name: ("-m", "tabard", *arguments, "--address", server.address)
                for name, arguments in _REMOTE.items()
            },
        }
        found: Numbers = {name: [] for name in commands}
        for arguments in commands.values():
            _processor_seconds(arguments, environment=environment)
        for _ in range(rounds):
            for name, arguments in commands.items():
                found[name].append(_processor_seconds(arguments, environment=environment))
    return found


def report(measured: Numbers) -> None:
    """Print what was measured, beside what was promised."""
    bare = median(measured["import grpc, click"])
    print(f"\n{'a command, processor time':44}{'median ms':>10}{'of bare':>10}   promised")
    for name, seconds in measured.items():
        found, promise = median(seconds), f"{PROMISED:g}" if name in _REMOTE else ""
        print(f"{name:44}{1000 * found:>10.0f}{found / bare:>10.2f}   {promise}")


def _publish(address: str) -> None:
    """Put a release there, so that commands have something to tell."""
    with TemporaryDirectory() as folder, Client(address) as client:
        file = Path(folder, "ink.safetensors")
        file.write_bytes(b"style")
        client.publish(_REF.partition("@")[0], file, version=_REF.partition("@")[2])


def _processor_seconds(arguments: tuple[str, ...], *, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
