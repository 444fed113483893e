# SPDX-License-Identifier: Apache-2.0
"""`tabard top`: a screen on terminals that can redraw, lines for others, documents for scripts."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tabard import Client, ServerStatus
from tabard.cli.commands.serve import top as top_module
from tabard.cli.commands.serve.top import look_at
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

QUICK = ("--interval", "0.1")
GONE = FakeStatus(code=14, message="it went away", reason="SERVER_STOPPED")


@pytest.fixture
def status(server: FakeServer) -> ServerStatus:
    """What the fake server says of itself."""
    with Client(server.address) as client:
        return client.status()


def test_speed_is_by_the_servers_clock(status: ServerStatus) -> None:
    """However late an answer comes."""
    before = replace(status, uptime_seconds=10.0, steps=100, row_steps=300)
    now = replace(status, uptime_seconds=12.0, steps=130, row_steps=420)

    look = look_at(now, before=before)

    assert (look.steps_per_second, look.row_steps_per_second) == (15.0, 60.0)


def test_restarted_server_has_no_speed_yet(status: ServerStatus) -> None:
    """Nor one that was looked at once, or that answers twice in one moment."""
    before = replace(status, uptime_seconds=500.0, steps=100)
    restarted = replace(status, uptime_seconds=1.0, steps=3)

    assert look_at(restarted, before=before).steps_per_second is None
    assert look_at(before, before=before).steps_per_second is None
    assert look_at(before, before=None).steps_per_second is None


def test_pipe_gets_a_line_a_look(published: Tabard) -> None:
    """All that counts on each, and nothing that steers a terminal."""
    ran = published("top", *QUICK, "--count", "2")

    first, second = ran.out.splitlines()
    assert "\x1b" not in ran.out
    for line in (first, second):
        assert line.startswith("serving  2 running  1 waiting")
        assert "by tenant: studio 2+1, (none) 0+3" in line
        assert "in memory" in line and "seq " in line
    assert "? steps/s" in first


def test_scripts_get_json_lines(published: Tabard) -> None:
    """The status, with the speed beside it."""
    ran = published("top", *QUICK, "--count", "2", "--json")

    documents = [json.loads(line) for line in ran.out.splitlines()]
    assert [one["rows_running"] for one in documents] == [2, 2]
    assert documents[0]["steps_per_second"] is None
    assert documents[0]["tenants"][0]["tenant"] == "studio"
    assert {"registry_seq", "residents", "state", "causes"} <= set(documents[0])


def test_once_is_the_whole_screen(published: Tabard) -> None:
    """By tenant, and what lies in memory."""
    text, document = (
        published("top", *QUICK, "--once"),
        published("top", *QUICK, "--once", "--json"),
    )

    assert (text.code, document.code) == (0, 0)
    for words in ("serving", "2 running, 1 waiting", "studio", "acme/watercolor", "steps/s", "seq"):
        assert words in text.out
    assert document.document["state"] == "serving"


def test_health_is_told(published: Tabard) -> None:
    """What keeps the server from serving, with its reason."""
    published("drain")

    ran = published("top", *QUICK, "--once")

    assert ran.out.startswith("draining")
    assert "DRAINING: it finishes what it has" in ran.out


def test_once_has_no_count(tabard: Tabard) -> None:
    """They contradict each other."""
    ran = tabard("top", "--once", "--count", "3")

    assert ran.code == 2


def test_server_that_went_away_is_told(
    server: FakeServer, published: Tabard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a line of its own, and it is asked again until it is back."""

    def go_away(_seconds: float) -> None:
        server.state.fail_with = GONE if server.state.fail_with is None else None

    monkeypatch.setattr(top_module, "time", SimpleNamespace(sleep=go_away))

    ran = published("top", "--count", "3", "--json")

    documents = [json.loads(line) for line in ran.out.splitlines()]
    assert [one["state"] for one in documents] == ["serving", "unavailable", "serving"]
    assert (ran.code, documents[1]["reason"]) == (0, "SERVER_STOPPED")


def test_server_that_never_was_ends_it(tabard: Tabard, server: FakeServer) -> None:
    """At once, in the words of every command."""
    server.state.fail_with = GONE

    ran = tabard("top")

    assert ran.code != 0
    assert "it went away" in ran.err


@pytest.mark.parametrize(("term", "is_redrawn"), [("xterm", True), ("dumb", False), ("", False)])
def test_screen_is_for_terminals_that_can(
    server: FakeServer, term: str, *, is_redrawn: bool
) -> None:
    """A dumb one gets lines."""
    command = [sys.executable, "-m", "tabard", "top", *QUICK, "--count", "2"]
    environment = {**os.environ, "TABARD_ADDRESS": server.address, "TERM": term}
    reader, writer = pty.openpty()
    with subprocess.Popen(command, stdout=writer, stderr=writer, env=environment) as running:
        assert running.wait(timeout=60) == 0
    os.close(writer)
    shown = os.read(reader, 100_000).decode()
    os.close(reader)

    assert "2 running" in shown
    assert (shown.count("\x1b[H") == 2) == is_redrawn
    assert ("\x1b" in shown) == is_redrawn
