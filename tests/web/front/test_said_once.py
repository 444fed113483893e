# SPDX-License-Identifier: Apache-2.0
"""Of two values of a parameter one would be passed over: whoever says two is told."""

import httpx
import pytest

from tabard import InvalidArgument
from tabard_web.front.said_once import require_once
from tests.clients.fakes.server import FakeServer

PAGE = {"X-Tabard-Page": "1"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/images/generations", '{"prompt": "a", "seed": 1, "seed": 2}'),
        ("/v1/jobs", '{"prompt": "a", "seed": 1, "seed": 2}'),
        ("/sdapi/v1/txt2img", '{"prompt": "a", "seed": 1, "seed": 2}'),
        ("/sdapi/v1/img2img", '{"init_images": [], "init_images": ["x"]}'),
        ("/sdapi/v1/txt2img", '{"override_settings": {"sd_vae": "None", "sd_vae": "Automatic"}}'),
        ("/sdapi/v1/options", '{"sd_vae": "None", "sd_vae": "Automatic"}'),
        ("/api/draw", '{"prompt": "a", "seed": 1, "seed": 2}'),
        ("/api/pairs/vote", '{"ref": "a/b", "pair": "x", "choice": "a", "choice": "b"}'),
        ("/api/review", '{"decision": "reject", "decision": "approve"}'),
    ],
)
def test_json_that_says_something_twice_is_refused(
    web: httpx.Client, server: FakeServer, path: str, words: str
) -> None:
    """By its name, at whatever depth; nothing is drawn."""
    answer = web.post(path, content=words, headers={**PAGE, "Content-Type": "application/json"})

    assert answer.status_code == 400
    assert "it is said twice" in answer.text
    assert not server.state.requests


def test_form_that_says_something_twice_is_refused(web: httpx.Client, server: FakeServer) -> None:
    """Its picture, too: OpenAI's name for several is another one."""
    picture = ("a.png", b"x")

    answer = web.post(
        "/v1/images/edits", data={"prompt": "a"}, files=[("image", picture), ("image", picture)]
    )

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "image")
    assert not server.state.requests


def test_list_of_a_form_is_said_value_by_value() -> None:
    """As forms say lists."""
    require_once(["prompt", "sigmas", "sigmas"], several={"sigmas"})

    with pytest.raises(InvalidArgument):
        require_once(["prompt", "prompt"], several={"sigmas"})


def test_half_a_json_is_told_as_ever(web: httpx.Client) -> None:
    """Whatever it says twice."""
    answer = web.post(
        "/v1/jobs",
        content='{"prompt": "a", "prompt": "b"',
        headers={"Content-Type": "application/json"},
    )

    assert answer.json()["error"]["reason"] == "BODY_UNREADABLE"
