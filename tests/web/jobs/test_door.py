# SPDX-License-Identifier: Apache-2.0
"""Jobs over HTTP: begun with 202, watched by events, fetched by URLs; no gateway holds them."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from tests.clients.fakes.real_server import RealServer
from tests.web.running import gateway_to, until


def begin(door: httpx.Client, **said: Any) -> Any:
    answer = door.post("/v1/jobs", json={"prompt": "a cat", "seed": 7} | said)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["url"]
    return answer.json()


def ended(door: httpx.Client, url: str) -> Any:
    return until(lambda: (told := door.get(url).json())["ended_at"] and told)


def events_of(door: httpx.Client, url: str, last: str = "") -> list[tuple[int, str, Any]]:
    headers = {"Last-Event-ID": last} if last else {}
    answer = door.get(f"{url}/events", headers=headers)
    if answer.status_code == 204:
        return []
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


def test_job_outlives_its_gateway(real: RealServer) -> None:
    """A gateway that is gone has lost nothing: the next one has the job and its images."""
    real.publish("acme/ink")
    with gateway_to(real.address) as door:
        job = begin(door, adapters=["acme/ink@1.0.0:0.5"], num_images=2, request_id="mine")
    with gateway_to(real.address) as door:
        told = ended(door, job["url"])
        images = [door.get(one["url"]) for one in told["images"]]
        again = begin(door, adapters=["acme/ink@1.0.0:0.5"], num_images=2, request_id="mine")

        assert told["state"] == "succeeded"
        assert told["worn"][0]["weight"] == 0.5
        assert [one["seed"] for one in told["images"]] == [7, 8]
        for image, one in zip(images, told["images"], strict=True):
            assert image.headers["content-type"] == "image/png"
            assert "sha256:" + hashlib.sha256(image.content).hexdigest() == one["digest"]
        assert again["id"] == job["id"]
        assert [one["id"] for one in door.get("/v1/jobs").json()["data"]] == [job["id"]]


def test_events_go_on_behind_the_last_one(door: httpx.Client) -> None:
    """As a browser asks that comes back; once there is no more it is told so."""
    job = begin(door)
    ended(door, job["url"])

    whole = events_of(door, job["url"])
    rest = events_of(door, job["url"], last=str(whole[0][0]))

    assert [name for _id, name, _told in whole] == ["accepted", "image", "ended"]
    assert rest == whole[1:]
    assert events_of(door, job["url"], last=str(whole[-1][0])) == []
    assert whole[-1][2]["images"][0]["url"] == f"{job['url']}/images/0"


def test_job_is_ended_run_again_and_forgotten(door: httpx.Client) -> None:
    """What is over stays as it is; what is forgotten is not found."""
    job = begin(door)
    done = ended(door, job["url"])

    stays = door.delete(job["url"])
    retried = door.post(f"{job['url']}/retry")
    gone = door.delete(job["url"], params={"forget": True})
    missing = door.get(job["url"])

    assert (stays.status_code, stays.json()["state"]) == (200, "succeeded")
    assert (retried.status_code, retried.json()["run"]) == (202, done["run"])
    assert gone.status_code == 200
    assert (missing.status_code, missing.json()["error"]["reason"]) == (404, "JOB_UNKNOWN")


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ({"adapters": ["acme/none"]}, 404, "ADAPTER_NOT_FOUND"),
        ({"webhook_url": "https://127.0.0.1/"}, 400, "WEBHOOKS_OFF"),
        ({"n": 2}, 400, "FIELD_INVALID"),
        ({"image": "no base64!"}, 400, "FIELD_INVALID"),
    ],
)
def test_refusal_has_the_doors_shape(
    door: httpx.Client, said: dict[str, Any], status: int, reason: str
) -> None:
    """And no job is begun."""
    answer = door.post("/v1/jobs", json={"prompt": "a cat"} | said)

    assert (answer.status_code, answer.json()["error"]["reason"]) == (status, reason)
    assert door.get("/v1/jobs").json() == {"data": []}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/jobs/..%2f..", {}, 404),
        ("/v1/jobs/XYZ", {}, 400),
        ("/v1/jobs/" + "0" * 32, {}, 404),
        ("/v1/jobs/" + "0" * 32 + "/images/-1", {}, 400),
        ("/v1/jobs/" + "0" * 32 + "/images/99999999999", {}, 400),
        ("/v1/jobs/" + "0" * 32 + "/events", {"Last-Event-ID": "x"}, 400),
        ("/v1/jobs/" + "0" * 32 + "/events", {"Last-Event-ID": "9" * 30}, 400),
        ("/v1/jobs/" + "0" * 32 + "/events", {}, 404),
    ],
)
def test_odd_paths_are_answered(
    door: httpx.Client, path: str, headers: dict[str, str], status: int
) -> None:
    """None is the gateway's own failure."""
    assert door.get(path, headers=headers).status_code == status


def test_image_has_the_type_of_its_format(door: httpx.Client) -> None:
    """As the server wrote it."""
    job = begin(door, image_format="webp", image_quality=50)
    told = ended(door, job["url"])

    image = door.get(told["images"][0]["url"])

    assert (told["images"][0]["format"], image.headers["content-type"]) == ("webp", "image/webp")
    assert image.content[8:12] == b"WEBP"


def test_openai_url_leads_to_the_image(door: httpx.Client) -> None:
    """It is the same image as in base64, and a stream has none."""
    asked = {"prompt": "a cat", "seed": 7, "deterministic": True, "response_format": "url"}

    answer = door.post("/v1/images/generations", json=asked)
    stream = door.post("/v1/images/generations", json=asked | {"stream": True})

    [image] = answer.json()["data"]
    assert set(image) == {"url", "seed"}
    assert door.get(image["url"]).content.startswith(b"\x89PNG")
    assert stream.status_code == 400
