# SPDX-License-Identifier: Apache-2.0
"""Images over HTTP: what is sent reaches the server, and what it draws or refuses comes back."""

import base64
import io
import json

import httpx
import pytest
from PIL import Image

from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

PATH = "/v1/images/generations"


def png(mode: str = "RGB", *, colour: object = "white", size: tuple[int, int] = (64, 64)) -> bytes:
    sink = io.BytesIO()
    Image.new(mode, size, colour).save(sink, format="PNG")  # type: ignore[arg-type]
    return sink.getvalue()


def test_image_wears_what_the_model_names(
    web: httpx.Client, server: FakeServer, styles: None
) -> None:
    """Refs, weights and parameters reach the server; digests and seeds come back."""
    asked = {"prompt": "a cat", "model": "acme/ink:0.8", "n": 2, "seed": 5, "size": "64x32"}

    answer = web.post(PATH, json=asked)

    [request] = server.state.requests
    assert (request.prompt, request.num_images, request.seed) == ("a cat", 2, 5)
    assert [one.ref for one in request.adapters] == ["acme/ink:0.8"]
    told = answer.json()
    assert [one["seed"] for one in told["data"]] == [5, 6]
    assert told["worn"][0]["digest"].startswith("sha256:")
    with Image.open(io.BytesIO(base64.b64decode(told["data"][0]["b64_json"]))) as image:
        assert (image.format, image.size) == ("PNG", (64, 32))


@pytest.mark.parametrize(("kind", "name"), [("jpeg", "JPEG"), ("webp", "WEBP")])
def test_image_is_written_as_asked(web: httpx.Client, kind: str, name: str) -> None:
    """At once and in a stream."""
    asked = {"prompt": "a cat", "output_format": kind}

    whole = web.post(PATH, json=asked).json()["data"][0]
    streamed = web.post(PATH, json=asked | {"stream": True}).text

    last = json.loads(streamed.rstrip().rpartition("data: ")[2])
    for told in (whole, last):
        with Image.open(io.BytesIO(base64.b64decode(told["b64_json"]))) as image:
            assert image.format == name


def test_refusal_before_a_stream_has_a_status(web: httpx.Client, styles: None) -> None:
    """Nobody has to read events to learn that there are none."""
    answer = web.post(PATH, json={"prompt": "a", "model": "acme/none", "stream": True})

    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "ADAPTER_NOT_FOUND")


def test_failure_within_a_stream_is_its_last_event(web: httpx.Client, server: FakeServer) -> None:
    """What was drawn before it was sent before it."""
    server.state.fail_image_with = FakeStatus(13, "broke", "ENGINE_ERROR")

    answer = web.post(PATH, json={"prompt": "a", "stream": True})

    assert answer.status_code == 200
    names = [line for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names == ["event: image_generation.completed", "event: error"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"prompt": "half', "application/json"),
        (b'{"prompt": "a"}', "text/plain"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"prompt": "a", "n": ' + b"9" * 10_000 + b"}", "application/json"),
        (b"[]", "application/json"),
        (b"", "application/json"),
    ],
)
def test_unreadable_body_is_refused(
    web: httpx.Client, server: FakeServer, content: bytes, kind: str
) -> None:
    """As a plain form of another site's page, which no browser asks about, too."""
    answer = web.post(PATH, content=content, headers={"Content-Type": kind})

    told = answer.json()["error"]
    assert (answer.status_code, told["reason"]) == (400, "BODY_UNREADABLE")
    assert (told["type"], told["param"]) == ("invalid_request_error", None)
    assert told["hint"]
    assert not server.state.requests


def test_unknown_parameter_is_named(web: httpx.Client, server: FakeServer) -> None:
    """What it was is not repeated."""
    answer = web.post(PATH, json={"prompt": "a", "style": "vivid", "lora": "secret"})

    told = answer.json()["error"]
    assert (answer.status_code, told["param"], told["reason"]) == (400, "style", "FIELD_INVALID")
    assert "secret" not in answer.text
    assert not server.state.requests


def test_edit_sends_picture_and_mask(web: httpx.Client, server: FakeServer) -> None:
    """The picture as it is, and white where its mask is transparent."""
    picture = png()
    files = {
        "image": ("a.png", picture),
        "mask": ("m.png", png("RGBA", colour=(0, 0, 0, 0))),
    }

    answer = web.post(
        "/v1/images/edits", data={"prompt": "a", "strength": "0.5", "n": "2"}, files=files
    )

    assert answer.status_code == 200, answer.text
    [request] = server.state.requests
    assert (request.image, request.strength, request.num_images) == (picture, 0.5, 2)
    with Image.open(io.BytesIO(request.mask_image)) as mask:
        assert mask.getextrema() == (255, 255)


def test_edit_of_several_pictures_is_refused(web: httpx.Client, server: FakeServer) -> None:
    """Only the first would be drawn anew."""
    files = [("image[]", ("a.png", png())), ("image[]", ("b.png", png()))]

    answer = web.post("/v1/images/edits", data={"prompt": "a"}, files=files)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "image")
    assert not server.state.requests


def test_edit_refuses_unknown_fields_by_name(web: httpx.Client, server: FakeServer) -> None:
    """Fields of a form are no other than those of a JSON."""
    files = {"image": ("a.png", png()), "markup": ("b.png", png())}

    answer = web.post("/v1/images/edits", data={"prompt": "a"}, files=files)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "markup")
    assert not server.state.requests
