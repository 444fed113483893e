# SPDX-License-Identifier: Apache-2.0
"""What each page of the metrics port answers, by state and by name."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge

from tabard_server.telemetry.pages import Health, pages


def asked(path: str, *, health: Health | None) -> tuple[str, str]:
    """Return the status and the text that a path gives."""
    registry = CollectorRegistry()
    Gauge("tabard_test", "A number.", registry=registry).set(3)
    told: list[str] = []

    def start(status: str, _headers: Any) -> None:
        told.append(status)

    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    body = b"".join(pages(registry, ask=lambda: health)(environ, start))
    return told[0], body.decode()


STARTING = Health(is_live=True, is_ready=False, state="starting")
SERVING = Health(is_live=True, is_ready=True, state="serving")
STALLED = Health(is_live=False, is_ready=False, state="stalled")


@pytest.mark.parametrize(
    ("path", "health", "status", "text"),
    [
        ("/livez", STARTING, 200, "starting"),
        ("/readyz", STARTING, 503, "starting"),
        ("/livez", SERVING, 200, "serving"),
        ("/readyz", SERVING, 200, "serving"),
        ("/livez", STALLED, 503, "stalled"),
        ("/readyz", STALLED, 503, "stalled"),
        ("/livez", None, 503, "does not answer"),
        ("/readyz", None, 503, "does not answer"),
        ("/metrics", None, 200, "tabard_test 3.0"),
        ("/", None, 200, "tabard_test 3.0"),
        ("/healthz", SERVING, 404, "/livez"),
        ("/ready", SERVING, 404, "/readyz"),
        ("/metrics/", SERVING, 404, "/metrics"),
    ],
)
def test_page_answers(path: str, health: Health | None, status: int, text: str) -> None:
    """Live and ready are told apart; a page of another name says that it is none."""
    told, body = asked(path, health=health)

    assert told.startswith(f"{status} ")
    assert text in body
