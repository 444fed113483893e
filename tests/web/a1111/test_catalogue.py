# SPDX-License-Identifier: Apache-2.0
"""What there is, as A1111 lists it."""

import base64
from pathlib import Path

import httpx

from tabard import Client
from tests.clients.fakes.server import FakeServer
from tests.web.pictures.files import png_of

API = "/sdapi/v1"


def test_styles_are_listed_by_channel(web: httpx.Client, styles: None) -> None:
    """A tag names them; a name that nobody else has is an alias."""
    found = {one["name"]: one["alias"] for one in web.get(f"{API}/loras").json()}

    assert found == {"acme/ink": "ink", "acme/pen": "pen", "acme/pen@beta": "pen@beta"}


def test_base_is_the_one_checkpoint(web: httpx.Client) -> None:
    """By its name and the digits of its fingerprint."""
    [base] = web.get(f"{API}/sd-models").json()

    assert (base["title"], base["hash"]) == ("demo [bbbbbbbbbb]", "b" * 10)
    assert web.get(f"{API}/options").json()["sd_model_checkpoint"] == base["title"]


def test_samplers_are_the_servers(web: httpx.Client) -> None:
    """By A1111's names."""
    assert [one["name"] for one in web.get(f"{API}/samplers").json()] == ["DDIM", "Euler"]
    assert [one["label"] for one in web.get(f"{API}/schedulers").json()] == [
        "Automatic",
        "Karras",
        "DDIM",
    ]


def test_embeddings_have_a_list(
    web: httpx.Client, styles: None, server: FakeServer, tmp_path: Path
) -> None:
    """By what a UI puts into a prompt, or a negative one, to wear them; styles are none."""
    assert web.get(f"{API}/embeddings").json() == {"loaded": {}, "skipped": {}}
    file = tmp_path / "bad.safetensors"
    file.write_bytes(b"bad")
    with Client(server.address, actor="alice", patience_seconds=0) as client:
        client.publish("acme/bad", file, version="1.0.0", kind="textual_inversion")
        client.promote("acme/bad@1.0.0")

    loaded = web.get(f"{API}/embeddings").json()["loaded"]

    assert list(loaded) == ["embedding:acme/bad"]


def test_options_are_fixed(web: httpx.Client) -> None:
    """By name; what holds already passes."""
    options = web.get(f"{API}/options").json()

    same = web.post(f"{API}/options", json=options)
    other = web.post(f"{API}/options", json={"sd_model_checkpoint": "other"})

    assert (same.status_code, same.json()) == (200, None)
    assert (other.status_code, other.json()["error"]) == (400, "OPTION_FIXED")
    assert "sd_model_checkpoint" in other.json()["detail"]


def test_picture_tells_its_words(web: httpx.Client) -> None:
    """All of them, and A1111's read."""
    picture = png_of({"parameters": "a cat\nSteps: 3, Seed: 7", "else": "x"})

    told = web.post(f"{API}/png-info", json={"image": base64.b64encode(picture).decode()}).json()

    assert told["info"] == "a cat\nSteps: 3, Seed: 7"
    assert told["items"]["else"] == "x"
    assert told["parameters"]["Seed"] == "7"


def test_picture_without_words_tells_none(web: httpx.Client) -> None:
    """That is no failure; what is no picture is one."""
    plain = base64.b64encode(png_of({})).decode()

    told = web.post(f"{API}/png-info", json={"image": plain}).json()
    refused = web.post(f"{API}/png-info", json={"image": "aGVsbG8="})

    assert told == {"info": "", "items": {}, "parameters": {}}
    assert (refused.status_code, refused.json()["error"]) == (400, "NOT_A_PICTURE")
