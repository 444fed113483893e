# SPDX-License-Identifier: Apache-2.0
"""Every line that a visitor may see, and what is found of them."""

import httpx

from tests.clients.fakes.server import FakeServer


def test_lines_are_listed(web: httpx.Client, styles: None) -> None:
    """With what is shown of each, and its channels."""
    ink, pen = web.get("/api/styles").json()

    assert (ink["name"], ink["shown"], ink["release_count"]) == ("acme/ink", "1.0.0", 1)
    assert {one["name"] for one in pen["channels"]} == {"beta", "stable"}
    assert ink["digest"].startswith("sha256:")


def test_words_are_found(web: httpx.Client, server: FakeServer, styles: None) -> None:
    """By the server, with the words around them."""
    found = web.get("/api/search", params={"words": "ink"}).json()

    assert [one["name"] for one in found] == ["acme/ink"]


def test_nothing_is_listed_of_nothing(web: httpx.Client) -> None:
    """An empty registry is no failure."""
    assert web.get("/api/styles").json() == []
