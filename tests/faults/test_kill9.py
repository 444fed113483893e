# SPDX-License-Identifier: Apache-2.0
"""Gateway, disk daemon, monitor and servers are killed while callers act in every way there is."""

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tabard.cli.demo.progress import Progress
from tabard_registry import Registry
from tabard_registry.upkeep.fsck.fsck import check_registry
from tests.faults.asked import Notes, figures
from tests.faults.callers import Caller
from tests.faults.ceph import Ceph, started_ceph
from tests.faults.judge import entries_of, judge, judge_channels
from tests.faults.processes import check_loads
from tests.server.life.server_process import Process, running

pytestmark = pytest.mark.faults

ROUNDS = 24
SERVERS = 2
CALLERS = 4
VICTIMS = ("rgw", "a server", "osd", "all", "a server", "mon", "servers", "store and servers")
TYPES = {"publish", "promote", "rollback", "yank", "unyank", "quarantine", "lift"}


class Server:
    """A server that comes back elsewhere after it was killed."""

    def __init__(self, folder: Path, *, url: str) -> None:
        self._folder = folder
        self._url = url
        self._lives = 0
        self._life = ExitStack()
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._lives += 1
        settings = {"registry": self._url, "poll_seconds": 0.2, "checkpoint_records": 100}
        self._process: Process = self._life.enter_context(
            running(self._folder / f"life-{self._lives}", settings=settings)
        )
        self.address = self._process.address

    def kill(self) -> None:
        """Kill it at once, whatever it does."""
        self._life.close()


def test_kills_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each of two dozen kills every acknowledged act is in the log once, in its place."""
    rng = random.Random(7)
    notes = Notes()
    with started_ceph() as ceph, ExitStack() as stack:
        for name, value in ceph.environment.items():
            monkeypatch.setenv(name, value)
        url = ceph.new_bucket()
        servers = [Server(tmp_path / f"server-{number}", url=url) for number in range(SERVERS)]
        for server in servers:
            stack.callback(server.kill)
        registry = Registry.open(url, create=False)
        callers = [
            Caller(number, addresses=lambda: [one.address for one in servers], notes=notes)
            for number in range(CALLERS)
        ]
        for caller in callers:
            stack.callback(caller.stop)

        for number in range(ROUNDS):
            await_progress(notes, rng.randint(4, 16))
            strike(VICTIMS[number % len(VICTIMS)], ceph=ceph, servers=servers, rng=rng)
            compare(registry, notes)
        await_progress(notes, 20)
        for caller in callers:
            caller.stop()
        judge_whole(Registry.open(url, create=False), notes)
    print(f"{ROUNDS} rounds: {figures(notes.seen())}")


def await_progress(notes: Notes, count: int) -> None:
    """Wait until so many more acts were acknowledged."""
    wanted = notes.acknowledged_count + count
    progress = Progress(lambda: notes.acknowledged_count)
    while notes.acknowledged_count < wanted:
        assert not progress.has_stopped(), f"nobody gets on: {figures(notes.seen())}"
        assert not notes.wrong, notes.wrong
        time.sleep(0.02)


def strike(victim: str, *, ceph: Ceph, servers: list[Server], rng: random.Random) -> None:
    """Kill somebody, and bring back who is gone."""
    killed = {"a server": [rng.choice(servers)], "servers": servers, "store and servers": servers}
    daemon = {"store and servers": "all"}.get(victim, victim)
    if daemon in ("rgw", "osd", "mon", "all"):
        ceph.kill(daemon)
    for server in killed.get(victim, []):
        server.kill()
    if daemon in ("rgw", "osd", "mon", "all"):
        ceph.start()
    for server in killed.get(victim, []):
        server.start()


def compare(registry: Registry, notes: Notes) -> None:
    """Look for everything that was answered so far."""
    seen = notes.seen()
    registry.refresh()
    entries = entries_of(registry.since(0))
    complaints = [
        *judge(entries, asked=seen),
        *judge_channels(entries, state=registry.state),
        *notes.wrong,
    ]
    assert not complaints, complaints


def judge_whole(registry: Registry, notes: Notes) -> None:
    """Open the registry anew: nothing was left out, nothing is there that nobody asked for."""
    compare(registry, notes)
    seen = notes.seen()
    assert {asked.type for asked in seen if asked.outcome == "acknowledged"} == TYPES
    known = {asked.request_id for asked in seen}
    actions = [entry.action for entry in entries_of(registry.since(0))]
    assert [action for action in actions if action.request_id not in known] == []
    for action in actions:
        if action.type == "publish" and "/mix-" not in action.adapter:
            check_loads(registry, action.digest)
    report = check_registry(registry, deep=True)
    assert report.is_sound, report.findings
