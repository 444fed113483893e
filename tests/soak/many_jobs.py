# SPDX-License-Identifier: Apache-2.0
"""Ten thousand detached jobs of one caller: who is refused, what is held, and what others wait for.

A server of the tiny base as a process, one tenant that asks without patience, and another who asks
for one image now and then. Exit status 1: a bound did not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tabard import Client, ResourceExhausted, TabardError
from tests.bases import make_tiny_base
from tests.e2e.conftest import RunningServer, run_server
from tests.e2e.web.tokens import first_token, is_known
from tests.web.running import until

_THREADS = 64
_MEGABYTE = 1 << 20


def main() -> int:
    """Ask for so many jobs, tell the figures, then what did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.many_jobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--kept", type=int, default=2_000, help="how many the server keeps")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tabard-jobs-") as name:
        folder = Path(name)
        kept = folder / "jobs"
        changes = {
            "jobs_folder": str(kept),
            "jobs_kept_max": str(options.kept),
            "identity_tokens": "true",
            "poll_seconds": "0.05",
        }
        with run_server(folder, base=make_tiny_base(folder / "base"), **changes) as server:
            found = _ask(server, secrets=_secrets(server), wanted=options.jobs, kept=kept)
    print(*(f"{name}: {value}" for name, value in found.items()), sep="\n")
    faults = [
        *(["more jobs are kept than may be"] if found["kept"] > options.kept else []),
        *(["a refusal has no time to come back"] if found["refusals without a time"] else []),
        *(["somebody else was refused"] if found["others refused"] else []),
        *(["the server failed"] if found["failures"] else []),
    ]
    print(*(f"FAULT: {one}" for one in faults), sep="\n")
    return 1 if faults else 0


def _secrets(server: RunningServer) -> list[str]:
    """Make two callers of whom it is known who they are: the one who asks, and somebody else."""
    grants = {"acme": ("generate",)}
    with Client(server.address, token=first_token(server.registry)) as admin:
        until(lambda: is_known(admin))
        made = [admin.create_token(name, grants=grants, reason="soak") for name in ("eve", "bob")]
    for one in made:
        with Client(server.address, token=one.secret) as client:
            until(lambda client=client: is_known(client))  # type: ignore[misc]
    return [one.secret for one in made]


def _ask(server: RunningServer, *, secrets: list[str], wanted: int, kept: Path) -> dict[str, float]:
    said: Counter[str] = Counter()
    others: list[float] = []
    before, begun_at = _resident_bytes(server), time.monotonic()
    with (
        Client(server.address, token=secrets[0], patience_seconds=0) as eve,
        Client(server.address, token=secrets[1], patience_seconds=0) as bob,
        ThreadPoolExecutor(_THREADS) as crowd,
    ):

        def ask(number: int) -> None:
            while True:
                try:
                    eve.start("a red circle", seed=number, num_inference_steps=1)
                except ResourceExhausted as refused:
                    said[f"refused: {refused.reason}"] += 1
                    pause = refused.retry_after_seconds
                    said["refusals without a time"] += pause is None
                    time.sleep(min(pause or 0.5, 2.0))
                except TabardError as failed:
                    said[f"failed: {failed.reason}"] += 1
                    said["failures"] += 1
                    return
                else:
                    said["accepted"] += 1
                    return

        running = [crowd.submit(ask, number) for number in range(wanted)]
        while not all(one.done() for one in running):
            asked_at = time.monotonic()
            try:
                bob.generate("a blue star", seed=1, num_inference_steps=1)
            except ResourceExhausted:
                said["others refused"] += 1
            others.append(time.monotonic() - asked_at)
            megabytes = (_resident_bytes(server) - before) / _MEGABYTE
            print(f"{dict(said)}, {megabytes:.0f} MB more", file=sys.stderr, flush=True)
            time.sleep(5.0)
        jobs = eve.jobs()
    sizes = [one.stat().st_size for one in kept.rglob("*") if one.is_file()]
    return {
        **said,
        "refusals without a time": said["refusals without a time"],
        "others refused": said["others refused"],
        "failures": said["failures"],
        "seconds": round(time.monotonic() - begun_at, 1),
        "kept": len(jobs),
        "files": len(sizes),
        "megabytes on the disk": round(sum(sizes) / _MEGABYTE, 1),
        "megabytes more in memory": round((_resident_bytes(server) - before) / _MEGABYTE, 1),
        "somebody else's image, median seconds": round(sorted(others)[len(others) // 2], 2),
        "somebody else's image, worst seconds": round(max(others), 2),
    }


def _resident_bytes(server: RunningServer) -> int:
    text = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    line = next(one for one in text.splitlines() if one.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    sys.exit(main())
