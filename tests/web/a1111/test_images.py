# SPDX-License-Identifier: Apache-2.0
"""A1111's images over HTTP: what is sent reaches the server, each caller has their own progress."""

import base64
import json
import threading

import httpx
import pytest

from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus
from tests.web.running import PATIENCE_SECONDS, until

TXT2IMG = "/sdapi/v1/txt2img"


def test_request_reaches_the_server(web: httpx.Client, server: FakeServer) -> None:
    """In the words of its API."""
    answer = web.post(TXT2IMG, json={"prompt": "a (cat)", "batch_size": 2, "seed": 7}).json()

    [request] = server.state.requests
    assert (request.prompt, request.num_images, request.seed) == ("a (cat)", 2, 7)
    assert request.prompt_syntax == 2  # PROMPT_SYNTAX_A1111
    assert [base64.b64decode(image)[:4] for image in answer["images"]] == [b"\x89PNG"] * 2
    assert json.loads(answer["info"])["all_seeds"] == [7, 8]


def test_images_need_not_be_sent(web: httpx.Client) -> None:
    """What they say of themselves is told all the same."""
    answer = web.post(TXT2IMG, json={"prompt": "a", "send_images": False}).json()

    assert answer["images"] == []
    assert len(json.loads(answer["info"])["all_seeds"]) == 1


def test_overrides_reach_the_server(web: httpx.Client, server: FakeServer) -> None:
    """As the SDK counts layers."""
    said = {"override_settings": {"CLIP_stop_at_last_layers": 3}}

    assert web.post(TXT2IMG, json={"prompt": "a", **said}).status_code == 200
    assert server.state.requests[-1].clip_skip == 2


def test_failure_of_the_server_is_the_answer(web: httpx.Client, server: FakeServer) -> None:
    """Images that were drawn before it are no answer to what was asked."""
    server.state.fail_image_with = FakeStatus(13, "broke", "ENGINE_ERROR")

    answer = web.post(TXT2IMG, json={"prompt": "a", "batch_size": 2})

    assert (answer.status_code, answer.json()["error"]) == (500, "ENGINE_ERROR")
    assert web.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0


@pytest.mark.parametrize("said", [{"tiling": True}, {"lora": 1}])
def test_unknown_parameter_is_named(
    web: httpx.Client, server: FakeServer, said: dict[str, object]
) -> None:
    """Nothing is drawn."""
    answer = web.post(TXT2IMG, json={"prompt": "a", **said})

    assert (answer.status_code, answer.json()["error"]) == (400, "FIELD_INVALID")
    assert next(iter(said)) in answer.json()["detail"]
    assert not server.state.requests


def test_interrupt_is_of_its_caller(web: httpx.Client, server: FakeServer) -> None:
    """Somebody else's token neither sees nor ends it."""
    server.state.step_seconds = 0.02
    answers: list[httpx.Response] = []

    def draw() -> None:
        asked = {"prompt": "a", "steps": 10_000}
        header = {"Authorization": "Bearer ann"}
        answers.append(web.post(TXT2IMG, json=asked, headers=header))

    def steps(token: str) -> int:
        header = {"Authorization": f"Bearer {token}"}
        told = web.get("/sdapi/v1/progress", headers=header).json()
        return int(told["state"]["sampling_step"])

    drawing = threading.Thread(target=draw)
    drawing.start()
    until(lambda: steps("ann"))
    others = steps("bob")
    web.post("/sdapi/v1/interrupt", headers={"Authorization": "Bearer bob"})
    before = steps("ann")
    web.post("/sdapi/v1/interrupt", headers={"Authorization": "Bearer ann"})
    drawing.join(PATIENCE_SECONDS)

    assert (others, before > 0) == (0, True)
    assert (answers[0].status_code, answers[0].json()["images"]) == (200, [])
    assert server.state.cancelled.wait(PATIENCE_SECONDS)
