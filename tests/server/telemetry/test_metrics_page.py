# SPDX-License-Identifier: Apache-2.0
"""The page on a port of its own: there until it is closed, whoever holds on to it."""

import socket
import threading
import urllib.request
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry, Gauge

from tabard_server.errors import BadSettings
from tabard_server.telemetry.metrics_page import READERS_MAX, MetricsPage

PATIENCE_SECONDS = 60.0


def read(page: MetricsPage) -> str:
    with urllib.request.urlopen(f"http://{page.address}/metrics") as answer:
        return str(answer.read().decode())


def connected(page: MetricsPage) -> socket.socket:
    """Connect, and say nothing."""
    host, _colon, port = page.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)


def test_page_shows_its_registry() -> None:
    """The system's port is told, and the number on the page is the number of now."""
    registry = CollectorRegistry()
    gauge = Gauge("tabard_test", "A number.", registry=registry)
    page = MetricsPage("127.0.0.1:0", registry=registry)

    try:
        gauge.set(3)
        shown = read(page)
    finally:
        page.close()

    assert "tabard_test 3.0" in shown.splitlines()


def test_taken_port_is_refused() -> None:
    """Who has it keeps it, and the refusal says what to choose."""
    first = MetricsPage("127.0.0.1:0", registry=CollectorRegistry())

    with pytest.raises(BadSettings, match="cannot serve metrics") as caught:
        MetricsPage(first.address, registry=CollectorRegistry())
    first.close()

    assert caught.value.reason == "ADDRESS_NOT_AVAILABLE"
    assert "metrics_listen" in caught.value.hint


def test_silent_readers_make_room() -> None:
    """Many who connect and ask nothing hold few threads, and whoever asks is answered."""
    page = MetricsPage("127.0.0.1:0", registry=CollectorRegistry())
    threads = threading.active_count()
    with ExitStack() as stack:
        silent = [stack.enter_context(connected(page)) for _ in range(3 * READERS_MAX)]

        read(page)
        held = page.readers
        ended = [one for one in silent[:READERS_MAX] if one.recv(1) == b""]
        running = threading.active_count() - threads
    page.close()

    assert held <= READERS_MAX
    assert len(ended) == READERS_MAX
    assert running <= 2 * READERS_MAX


def test_silent_reader_is_ended() -> None:
    """It is let go of after a time, though nobody needs its place."""
    now = [0.0]
    page = MetricsPage("127.0.0.1:0", registry=CollectorRegistry(), clock=lambda: now[0])
    with connected(page) as silent:
        silent.sendall(b"GET /metr")
        read(page)
        now[0] = 3_600.0

        assert silent.recv(1) == b""
    page.close()
