# SPDX-License-Identifier: Apache-2.0
"""What a server takes until it serves: processor time on the demo base, beside diffusers alone.

Each is a process of its own, on one torch thread; they take turns. diffusers loads the same folder
as a pipeline and draws nothing. A first round, which compiles modules, does not count.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tabard.cli.demo.catalog import find_material
from tabard.cli.demo.server_process import TABARD_SERVE

_ALONE = """
import sys, torch
torch.set_num_threads(1)
from diffusers import StableDiffusionPipeline
pipe = StableDiffusionPipeline.from_pretrained(sys.argv[1], safety_checker=None)
open(sys.argv[2], "w").write("ready")
sys.stdin.read()
"""
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PATIENCE_SECONDS = 600.0

Numbers = dict[str, list[float]]


def run(*, rounds: int) -> Numbers:
    """Return processor seconds of each process when it is ready."""
    found: Numbers = {"tabard serve": [], "diffusers alone": []}
    with TemporaryDirectory(prefix="tabard-bench-") as name:
        for number in range(-1, rounds):
            folder = Path(name, str(number))
            folder.mkdir()
            for title, command in _commands(folder).items():
                seconds = _seconds(command, folder=folder)
                if number >= 0:
                    found[title].append(seconds)
    return found


def report(measured: Numbers) -> None:
    """Print medians and their ratio."""
    print(f"\n{'until it is ready, demo base':44}{'processor s':>12}   fastest to slowest")
    for title, seconds in measured.items():
        print(f"{title:44}{median(seconds):>12.2f}   {min(seconds):.2f} to {max(seconds):.2f}")
    server, alone = (median(seconds) for seconds in measured.values())
    print(f"\na server takes {server / alone:.2f} times what its pipeline takes alone")


def _commands(folder: Path) -> dict[str, tuple[str, ...]]:
    serve = (
        *(*TABARD_SERVE, "--base", "demo", "--registry", (folder / "registry").as_uri()),
        *("--listen", "127.0.0.1:0", "--metrics-listen", "", "--torch-threads", "1"),
        *("--set", f"cache={folder / 'cache'}", "--ready-file", str(folder / "ready")),
    )
    base = str(find_material() / "base")
    return {
        "tabard serve": serve,
        "diffusers alone": (sys.executable, "-c", _ALONE, base, str(folder / "ready")),
    }


def _seconds(command: tuple[str, ...], *, folder: Path) -> float:
    environment = {key: one for key, one in os.environ.items() if not key.startswith("TABARD_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    ready, until = folder / "ready", time.monotonic() + _PATIENCE_SECONDS
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        while not (ready.is_file() and ready.stat().st_size):
            assert process.poll() is None, "it ended before it was ready"
            assert time.monotonic() < until, "it was never ready"
            time.sleep(0.02)
        return _processor(process.pid)
    finally:
        process.kill()
        process.wait()
        ready.unlink(missing_ok=True)


def _processor(pid: int) -> float:
    """Return the processor seconds that a process and those it waited for have had."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return sum(map(int, text.rpartition(")")[2].split()[11:15])) / _TICKS_A_SECOND
