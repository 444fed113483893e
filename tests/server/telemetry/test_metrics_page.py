# SPDX-License-Identifier: Apache-2.0
"""The page on a port of its own: there until it is closed."""

import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Gauge

from tabard_server.errors import BadSettings
from tabard_server.telemetry.metrics_page import MetricsPage


def read(page: MetricsPage) -> str:
    with urllib.request.urlopen(f"http://{page.address}/metrics") as answer:
        return str(answer.read().decode())


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
