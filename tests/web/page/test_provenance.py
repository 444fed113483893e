# SPDX-License-Identifier: Apache-2.0
"""A picture says how it was made, whoever dropped it; Tabard's own are made again."""

import base64
import io
import json

import httpx
import pytest
from PIL import Image, PngImagePlugin

from tabard import ImageFormat
from tabard.pictures.words import read_words
from tests.clients.fakes.server import FakeServer
from tests.web.pictures.files import file_of

HEADERS = {"X-Tabard-Page": "1", "Content-Type": "application/octet-stream"}
JSON = {"X-Tabard-Page": "1", "Content-Type": "application/json"}
HOSTILE = "<script>alert(1)</script>"


def drawn(web: httpx.Client) -> bytes:
    answer = web.post("/api/draw", json={"prompt": "a cat", "seed": 3}, headers=JSON)
    line = answer.text.partition("event: image\n")[2].splitlines()[0]
    return base64.b64decode(json.loads(line.removeprefix("data: "))["png"])


def picture(**texts: str) -> bytes:
    sink, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_itxt(name, text)
    Image.new("RGB", (8, 8)).save(sink, format="PNG", pnginfo=chunks)
    return sink.getvalue()


def test_picture_tells_how_it_was_made(web: httpx.Client) -> None:
    """The gateway reads it: the server is asked nothing."""
    told = web.post("/api/provenance", content=drawn(web), headers=HEADERS).json()

    assert told["provenance"]["prompt"] == "a cat"
    assert told["is_replayable"]


@pytest.mark.parametrize(
    ("texts", "provenance"),
    [
        ({"tabard": json.dumps({"prompt": HOSTILE})}, {"prompt": HOSTILE}),
        ({"tabard": "[1]"}, None),
        ({"tabard": "no json"}, None),
        ({"tabard": '{"a": NaN}'}, None),
        ({"tabard": '{"a": "\\ud800"}'}, None),
        ({"tabard": "[" * 100_000}, None),
        ({"parameters": "a cat\nSteps: 3"}, None),
        ({}, None),
    ],
)
def test_words_of_strangers_are_only_told(
    web: httpx.Client, texts: dict[str, str], provenance: dict[str, str] | None
) -> None:
    """As they are, where they are JSON; what is none is nothing, and breaks nothing."""
    answer = web.post("/api/provenance", content=picture(**texts), headers=HEADERS)

    assert answer.status_code == 200, answer.text
    assert answer.json()["provenance"] == provenance
    assert answer.json()["is_replayable"] is (provenance is not None)


@pytest.mark.parametrize("path", ["/api/provenance", "/api/replay"])
@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused(web: httpx.Client, path: str, content: bytes) -> None:
    """In the page's own shape."""
    answer = web.post(path, content=content, headers=HEADERS)

    assert answer.status_code == 400
    assert answer.json()["error"]["reason"]


def test_picture_is_made_again(web: httpx.Client, server: FakeServer) -> None:
    """And compared, to the byte."""
    told = web.post("/api/replay", content=drawn(web), headers=HEADERS).json()

    assert (told["outcome"], told["is_faithful"], told["refusal"]) == ("same_file", True, None)
    assert base64.b64decode(told["content"]).startswith(b"\x89PNG")
    assert told["media_type"] == "image/png"


def test_picture_of_another_base_differs(web: httpx.Client, server: FakeServer) -> None:
    """It is said in what."""
    made = drawn(web)
    server.state.base_fingerprint = "sha256:" + "d" * 64

    told = web.post("/api/replay", content=made, headers=HEADERS).json()

    assert (told["outcome"], told["is_faithful"]) == ("different", False)
    assert "base.fingerprint" in {one["name"] for one in told["differences"]}


@pytest.mark.parametrize("path", ["/api/provenance", "/api/replay"])
def test_another_page_is_refused(web: httpx.Client, server: FakeServer, path: str) -> None:
    """Without the header that only the page sends."""
    headers = {"Content-Type": "application/octet-stream"}

    assert web.post(path, content=picture(), headers=headers).status_code == 400
    assert not server.state.requests


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_picture_with_loss_is_read_and_made_again(
    web: httpx.Client, server: FakeServer, kind: ImageFormat
) -> None:
    """As it is written: the new one comes with what browsers call it."""
    made = json.loads(read_words(drawn(web))["tabard"])
    words = {"tabard": json.dumps(made | {"written": {"format": kind, "quality": 60}})}
    file = file_of(words, kind)

    told = web.post("/api/provenance", content=file, headers=HEADERS).json()
    again = web.post("/api/replay", content=file, headers=HEADERS).json()

    assert (told["provenance"]["prompt"], told["is_replayable"]) == ("a cat", True)
    asked = server.state.requests[-1]
    assert (asked.image_quality, asked.image_format) == (60, {"jpeg": 2, "webp": 3}[kind])
    assert (bool(again["content"]), again["media_type"]) == (True, f"image/{kind}")
