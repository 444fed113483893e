# SPDX-License-Identifier: Apache-2.0
"""Gateway, disk daemon, monitor and publishers are killed while releases are published."""

import random
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.upkeep.fsck.fsck import check_registry
from tests.faults.ceph import Ceph, started_ceph
from tests.faults.processes import Acknowledged, acknowledged_by, check_loads, start_writer
from tests.registry.fakes import NAME

pytestmark = pytest.mark.faults

ROUNDS = 24
WRITERS = 3
VICTIMS = ("rgw", "osd", "writer", "all", "rgw", "writer", "osd", "mon")
PROGRESS_SECONDS_MAX = 120


class Publisher:
    """One publisher that is read all the time, and started again under another number."""

    def __init__(self, url: str, folder: Path, number: int, environment: dict[str, str]) -> None:
        self._process: subprocess.Popen[str] = start_writer(
            url, folder, number, count=10_000, environment=environment
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def acknowledged(self) -> list[Acknowledged]:
        """What it was told is published."""
        return acknowledged_by("".join(self._lines))

    def kill(self) -> None:
        """Kill it, and take what it printed before."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.append(line)


class Crowd:
    """Publishers, and everything that was ever acknowledged to any."""

    def __init__(self, ceph: Ceph, folder: Path) -> None:
        self._ceph = ceph
        self._folder = folder
        self.url = ceph.new_bucket()
        self._started = 0
        self._dead: list[Publisher] = []
        self._living = [self._start() for _ in range(WRITERS)]

    @property
    def acknowledged(self) -> list[Acknowledged]:
        """What was acknowledged so far."""
        return [line for one in (*self._dead, *self._living) for line in one.acknowledged]

    def await_progress(self, count: int) -> None:
        """Wait until so many more releases were acknowledged."""
        wanted = len(self.acknowledged) + count
        until = time.monotonic() + PROGRESS_SECONDS_MAX
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < until, "the publishers do not come back"
            time.sleep(0.02)

    def replace_one(self) -> None:
        """Kill one publisher and start another."""
        victim = self._living.pop(0)
        victim.kill()
        self._dead.append(victim)
        self._living.append(self._start())

    def kill(self) -> None:
        """Kill all publishers."""
        for one in self._living:
            one.kill()

    def _start(self) -> Publisher:
        number, self._started = self._started, self._started + 1
        return Publisher(self.url, self._folder, number, dict(self._ceph.environment))


def test_kills_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two dozen kills every acknowledged release is there, once, and loads."""
    rng = random.Random(7)
    with started_ceph() as ceph:
        crowd = Crowd(ceph, tmp_path)
        try:
            for round_number in range(ROUNDS):
                crowd.await_progress(rng.randint(1, 6))
                victim = VICTIMS[round_number % len(VICTIMS)]
                if victim == "writer":
                    crowd.replace_one()
                else:
                    ceph.kill(victim)
                    ceph.start()
            crowd.await_progress(5)
        finally:
            crowd.kill()
        for name, value in ceph.environment.items():
            monkeypatch.setenv(name, value)
        judge(crowd.url, crowd.acknowledged)


def judge(url: str, acknowledged: list[Acknowledged]) -> None:
    """Open the registry anew and look for everything that was acknowledged."""
    registry = Registry.open(url, create=False)
    line = registry.state.adapter(NAME)
    assert len({one.version for one in acknowledged}) == len(acknowledged) > ROUNDS
    published = [
        (action.version, action.digest) for r in registry.since(0) for action in r.record.actions
    ]
    assert len(set(published)) == len(published) == len(line.by_version)
    assert {(one.version, one.digest) for one in acknowledged} <= set(published)
    for _, digest in published:
        check_loads(registry, digest)
    report = check_registry(registry, deep=True)
    assert report.is_sound, report.findings
