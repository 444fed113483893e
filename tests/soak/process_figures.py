# SPDX-License-Identifier: Apache-2.0
"""What a process holds, over time: resident memory, descriptors, threads. Linux only."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_KIB = 1 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at a process."""

    rss_bytes: int
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Medians of the samples after the warm-up: of the first quarter of them, and of the last."""

    before: float
    after: float

    @property
    def ratio(self) -> float:
        """How much it grew."""
        return self.after / self.before


def look_at(pid: int) -> Sample:
    """Look at a process.

    Raises:
        OSError: It has gone.
    """
    folder = Path("/proc") / str(pid)
    facts = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Sample(
        rss_bytes=int(facts["VmRSS"].split()[0]) * _KIB,
        descriptors=sum(1 for _ in (folder / "fd").iterdir()),
        threads=int(facts["Threads"]),
    )


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, of all its threads.

    Raises:
        OSError: It has gone.
    """
    # Fields 14 and 15 of proc(5), counted after the name, which may hold spaces.
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Looks at a process now and then, in a thread of its own, until it is stopped."""

    def __init__(self, pid: int, *, every_seconds: float) -> None:
        self._pid = pid
        self._every = every_seconds
        self._stop = threading.Event()
        self.samples: list[Sample] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    def change_of(self, name: str, *, warm_up: float) -> Change:
        """Compare the beginning with the end, the first share of the samples left out."""
        values = [float(getattr(one, name)) for one in self.samples]
        kept = values[int(len(values) * warm_up) :]
        quarter = max(1, len(kept) // 4)
        return Change(before=median(kept[:quarter]), after=median(kept[-quarter:]))

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.samples.append(look_at(self._pid))
            except OSError:
                return
