# SPDX-License-Identifier: Apache-2.0
"""Every answer has the headers, whoever gives it."""

import pytest

from tabard_web.front.headers import SECURITY_HEADERS
from tests.clients.fakes.server import FakeServer
from tests.web.running import gateway_to


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/healthz", {}, b"", 200),
        ("/nothing", {}, b"", 404),
        ("/healthz", {"Origin": "https://elsewhere.example"}, b"", 403),
        ("/healthz", {}, b"too large", 413),
    ],
)
def test_every_answer_has_the_headers(
    server: FakeServer, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    """Doors, the framework and what stands before them."""
    with gateway_to(server.address, body_bytes_max=4) as web:
        answer = web.request("GET", path, headers=headers, content=body)

    assert answer.status_code == status
    assert {name: answer.headers[name] for name, _ in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    assert "unsafe" not in answer.headers["content-security-policy"]
