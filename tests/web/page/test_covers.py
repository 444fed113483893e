# SPDX-License-Identifier: Apache-2.0
"""Pictures of releases: drawn when somebody asks, and shown to whoever may see the release.

What evidence shows is seen in front of a real server, in tests/e2e/page.
"""

import io

import httpx
import pytest
from PIL import Image

from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus
from tests.web.running import gateway_to

PAGE = {"X-Tabard-Page": "1"}
REF = "acme/ink@1.0.0"


def test_cover_is_drawn_once(web: httpx.Client, server: FakeServer, styles: None) -> None:
    """Pinned to the release; it is kept, and small."""
    drawn = web.post("/api/cover", json={"ref": REF}, headers=PAGE)
    shown = web.get("/api/cover", params={"ref": REF, "pixels": 16})

    [request] = [one for one in server.state.requests if hasattr(one, "prompt")]
    assert request.adapters[0].ref.startswith("acme/ink@sha256:")
    assert drawn.headers["content-type"] == shown.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(shown.content)) as image:
        assert image.size == (16, 16)


def test_kept_cover_needs_sight(web: httpx.Client, server: FakeServer, styles: None) -> None:
    """Whom the server does not show a release is shown no picture of it."""
    web.post("/api/cover", json={"ref": REF}, headers=PAGE)
    server.state.fail_with = FakeStatus(5, "there is no adapter", "ADAPTER_NOT_FOUND")

    assert web.get("/api/cover", params={"ref": REF}).status_code == 404


def test_kept_covers_are_bounded(server: FakeServer, styles: None) -> None:
    """The one that was not looked at for longest gives way."""
    with gateway_to(server.address, covers_kept_max=1) as web:
        for ref in (REF, "acme/pen@1.0.0"):
            web.post("/api/cover", json={"ref": ref}, headers=PAGE)
        found = [
            web.get("/api/cover", params={"ref": ref}).status_code
            for ref in (REF, "acme/pen@1.0.0")
        ]

    assert found[0] != 200
    assert found[1] == 200


@pytest.mark.parametrize("headers", [{}, {**PAGE, "Sec-Fetch-Site": "same-site"}])
def test_another_page_draws_nothing(
    web: httpx.Client, server: FakeServer, styles: None, headers: dict[str, str]
) -> None:
    """The device is not theirs."""
    answer = web.post("/api/cover", json={"ref": REF}, headers=headers)

    assert answer.status_code in (400, 403)
    assert not server.state.requests
