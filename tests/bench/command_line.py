# SPDX-License-Identifier: Apache-2.0
"""What a command costs before it does anything: processor time beside a bare `import grpc, click`.

The server is the tests' fake, in this process: what is measured is the command's own. All take
turns, so that what slows one slows the others.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median

from tests.clients.fakes.server import FakeServer

PROMISED = 1.5
"""What a remote command may cost, as a multiple of the bare imports."""

_BARE = ("-c", "import grpc, click")

Numbers = dict[str, list[float]]


def run(*, rounds: int) -> Numbers:
    """Return the processor seconds of each process, by what it runs."""
    with FakeServer() as server:
        commands = {
            "bare": _BARE,
            "help": ("-m", "tabard", "--help"),
            "list": ("-m", "tabard", "list", "--address", server.address),
            "status": ("-m", "tabard", "status", "--address", server.address),
        }
        found: Numbers = {name: [] for name in commands}
        for _ in range(rounds):
            for name, arguments in commands.items():
                found[name].append(_processor_seconds(arguments))
    return found


def report(measured: Numbers) -> None:
    """Print what was measured, beside what was promised."""
    bare = median(measured["bare"])
    print(f"\n{'a command, processor time':44}{'median ms':>10}{'of bare':>10}   promised")
    for title, name, promise in (
        ("import grpc, click", "bare", ""),
        ("tabard --help", "help", ""),
        ("tabard list", "list", f"{PROMISED:g}"),
        ("tabard status", "status", f"{PROMISED:g}"),
    ):
        found = median(measured[name])
        print(f"{title:44}{1000 * found:>10.0f}{found / bare:>10.2f}   {promise}")


def _processor_seconds(arguments: tuple[str, ...]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
