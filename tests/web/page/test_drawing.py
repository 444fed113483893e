# SPDX-License-Identifier: Apache-2.0
"""The page draws: what is asked reaches the server, and what happens comes back as it happens."""

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest

from tabard import Done, Internal
from tabard_web.page.drawing import tell
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus
from tests.web.running import until

PATH = "/api/draw"
PAGE = {"X-Tabard-Page": "1"}


def told(answer: httpx.Response) -> list[tuple[str, Any]]:
    blocks = [one.split("\n") for one in answer.text.strip().split("\n\n")]
    return [(a.removeprefix("event: "), json.loads(b.removeprefix("data: "))) for a, b in blocks]


def test_drawing_is_told_as_it_goes(web: httpx.Client, server: FakeServer, styles: None) -> None:
    """Pinned, step by step, with rough looks, and the file as the server made it."""
    asked = {
        **{"prompt": "a cat", "adapters": ["acme/ink:0.8"], "seed": 5, "num_inference_steps": 4},
        **{"sampler": "euler", "schedule": "karras", "timestep_spacing": "trailing"},
    }

    events = told(web.post(PATH, json=asked, headers=PAGE))

    names = [name for name, _ in events]
    assert (names[0], names[-2], names[-1]) == ("accepted", "image", "done")
    assert {"progress", "preview"} <= {*names}
    assert events[0][1]["worn"][0]["weight"] == 0.8
    assert base64.b64decode(events[-2][1]["png"]).startswith(b"\x89PNG")
    [request] = server.state.requests
    assert (request.prompt, request.seed, request.num_inference_steps) == ("a cat", 5, 4)
    assert (request.sampler, request.schedule) == ("euler", "karras")
    assert request.timestep_spacing == "trailing"


def test_refusal_has_a_status(web: httpx.Client) -> None:
    """Nobody has to read events to learn that there are none."""
    asked = {"prompt": "a", "adapters": ["acme/none"]}

    answer = web.post(PATH, json=asked, headers=PAGE)

    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "ADAPTER_NOT_FOUND")


def test_failure_is_the_last_event(web: httpx.Client, server: FakeServer) -> None:
    """What was drawn before it is there."""
    server.state.fail_image_with = FakeStatus(13, "broke", "ENGINE_ERROR")

    events = told(web.post(PATH, json={"prompt": "a"}, headers=PAGE))

    assert [name for name, _ in events][-2:] == ["image", "error"]
    assert events[-1][1]["error"]["reason"] == "ENGINE_ERROR"


def test_failure_is_told_whatever_came_before() -> None:
    """The first event has been read by then."""

    async def events() -> Any:
        yield Done(queue_ms=1.0, total_ms=2.0)
        raise Internal("broke", reason="ENGINE_ERROR")

    async def walk() -> list[bytes]:
        stream = events()
        return [piece async for piece in tell(await anext(stream), stream)]

    first, last = asyncio.run(walk())

    assert first.startswith(b"event: done\n")
    assert last.startswith(b"event: error\n")


def test_who_leaves_draws_nothing_more(web: httpx.Client, server: FakeServer) -> None:
    """A page that stops, or is closed, ends the job."""
    server.state.step_seconds = 0.05
    asked = {"prompt": "a", "num_inference_steps": 2_000}

    with web.stream("POST", PATH, json=asked, headers=PAGE) as answer:
        next(answer.iter_lines())

    until(server.state.cancelled.is_set)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"prompt": "a", "style": "x"},
        {"prompt": "\ud800"},
        {"prompt": "a", "seed": -1},
        {"prompt": "a", "guidance_scale": "much"},
        {"prompt": "a", "adapters": "acme/ink"},
    ],
)
def test_wrong_request_is_refused(
    web: httpx.Client, server: FakeServer, asked: dict[str, Any]
) -> None:
    """By name, before the server hears of it."""
    content = json.dumps(asked)

    answer = web.post(PATH, content=content, headers={**PAGE, "Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "FIELD_INVALID")
    assert not server.state.requests


@pytest.mark.parametrize("headers", [{}, {**PAGE, "Sec-Fetch-Site": "same-site"}])
def test_another_page_draws_nothing(
    web: httpx.Client, server: FakeServer, headers: dict[str, str]
) -> None:
    """Not with the session of whoever has both open."""
    assert web.post(PATH, json={"prompt": "a"}, headers=headers).status_code in (400, 403)
    assert not server.state.requests
