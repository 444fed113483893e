# SPDX-License-Identifier: Apache-2.0
"""Patience is renewed by progress, and counts only the time that somebody waited."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tabard.cli.demo.progress import Progress, signs_of_life

COMPUTES = "import time\nwhile time.process_time() < 1.5: pass\nprint('done', flush=True); input()"


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """Something that is looked at once every half second."""

    def __init__(self) -> None:
        self.seen: object = 0
        self.clock = Clock()
        self.progress = Progress(lambda: self.seen, patience_seconds=10.0, clock=self.clock)

    def stops_within(self, seconds: float) -> bool:
        """Look for so long at what does not change."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += 0.5
            if self.progress.has_stopped():
                return True
        return False


def test_no_progress_uses_up_patience() -> None:
    """Nothing changes: patience ends when it is over, and not before."""
    watched = Watched()

    assert not watched.stops_within(9.5)
    assert watched.stops_within(0.5)


def test_every_change_renews_patience() -> None:
    """However long it takes in all."""
    watched = Watched()

    for seen in range(1, 100):
        assert not watched.stops_within(9.5)
        watched.seen = seen
    assert not watched.stops_within(9.5)


def test_time_without_a_look_does_not_count() -> None:
    """Who waits was stopped for an hour, as was what it waits for: a suspended machine."""
    watched = Watched()
    watched.clock.now += 3_600.0

    assert not watched.progress.has_stopped()


@pytest.mark.skipif(sys.platform != "linux", reason="computed seconds are read from /proc")
def test_computing_and_saying_are_signs_of_life(tmp_path: Path) -> None:
    """A process that says nothing but computes gets on; one that waits does not."""
    log = tmp_path / "log"
    silent = signs_of_life(0, log=log)
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            [sys.executable, "-c", COMPUTES], stdin=subprocess.PIPE, stdout=sink
        ) as process,
    ):
        while not log.stat().st_size:
            time.sleep(0.05)
        said, computed = signs_of_life(process.pid, log=log)
        process.communicate(b"\n")

    assert silent == (0, 0)
    assert (said, computed) == (5, 1)
