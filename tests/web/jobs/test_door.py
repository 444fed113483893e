# SPDX-License-Identifier: Apache-2.0
"""Jobs over HTTP: begun with 202, watched by events, fetched by URLs; no gateway holds them."""

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tabard_server.limits import Limits
from tabard_server.webhooks.settings import JobsSettings
from tests.clients.fakes.real_server import RealServer, real_server
from tests.server.fakes import FakeEngine
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
    ("said", "reason"),
    [
        ({"width": 33}, "SIZE_INVALID"),
        ({"height": 10**20}, "VALUE_OUT_OF_RANGE"),
        ({"image_format": "gif"}, "FIELD_INVALID"),
        ({"num_images": 10_000}, "IMAGES_OUT_OF_RANGE"),
        ({"namespace": "acme"}, "JOB_PLACE_UNKNOWN"),
        ({"webhook_url": "x" * 9_000}, "FIELD_TOO_LONG"),
        ({"adapters": ["acme/" + "x" * 100_000]}, "FIELD_TOO_LONG"),
    ],
)
def test_refusal_names_the_parameter_as_it_was_sent(
    door: httpx.Client, said: dict[str, Any], reason: str
) -> None:
    """By no other door's name for it, and not by that of the server's messages."""
    answer = door.post("/v1/jobs", json={"prompt": "a cat"} | said)
    told = answer.json()["error"]

    assert (answer.status_code, told["reason"]) == (400, reason)
    assert told["param"].startswith(next(iter(said)))
    assert len(answer.content) < 2_000


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


def test_streams_have_a_bound_of_their_own(tmp_path: Path) -> None:
    """They are no requests: who watches keeps nobody from asking; and a place is free again."""
    with (
        held_server(tmp_path) as server,
        gateway_to(server.address, requests_max=2, job_streams_max=3) as door,
        contextlib.ExitStack() as stack,
    ):
        path = f"{begin(door)['url']}/events"
        streams = [stack.enter_context(door.stream("GET", path)) for _ in range(3)]
        refused = door.get(path)
        asked = door.get("/v1/models")
        streams[0].close()
        again = until(lambda: first_line(door, path))

    assert [one.status_code for one in streams] == [200, 200, 200]
    assert (refused.status_code, refused.json()["error"]["reason"]) == (429, "GATEWAY_BUSY")
    assert refused.headers["retry-after"] == "30"
    assert asked.status_code == 200
    assert again.startswith("id: ")


@contextlib.contextmanager
def held_server(folder: Path, **changes: Any) -> Iterator[RealServer]:
    """Run a server whose jobs do not get on, until its end."""
    engine = FakeEngine()
    engine.hold_steps()
    with real_server(folder / "server", engine=engine, **changes) as server:
        try:
            yield server
        finally:
            engine.let_go()


def first_line(door: httpx.Client, path: str) -> str:
    with door.stream("GET", path) as answer:
        return next(answer.iter_lines()) if answer.status_code == 200 else ""


@pytest.mark.parametrize(
    "hook",
    [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1.:443/",
        "https://localhost:8443/x",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/latest",
        "https://[64:ff9b::a00:1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data",
        "https://hooks.example.com@10.0.0.1/",
        "https://10.0.0.1#@hooks.example.com/",
        "https://10.0.0.1\\@hooks.example.com/",
        "https://user:word@hooks.example.com/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:x/",
        "https://127\u30020\u30020\u30021/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https:///10.0.0.1/",
        "https://hooks.example.com/\r\nX-Told: yes",
        "http://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://10.0.0.1/",
    ],
)
def test_webhook_that_leads_inside_is_refused(hooking: httpx.Client, hook: str) -> None:
    """However its address is written; nothing is begun, and the field is named."""
    answer = hooking.post("/v1/jobs", json={"prompt": "a cat", "webhook_url": hook})

    told = answer.json()["error"]
    assert (answer.status_code, told["reason"], told["param"]) == (
        400,
        "WEBHOOK_REFUSED",
        "webhook_url",
    )
    assert hooking.get("/v1/jobs").json() == {"data": []}


@pytest.fixture(scope="module")
def hooking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway to a server that may tell of jobs."""
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    jobs = JobsSettings.model_validate({"webhook_secret": secret}, strict=False)
    with (
        real_server(tmp_path_factory.mktemp("hooking"), jobs=jobs) as server,
        gateway_to(server.address) as client,
    ):
        yield client


def test_crowd_of_jobs_of_one_caller_is_bounded(tmp_path: Path) -> None:
    """As many as its share of the queue wait; the others are told when to come back."""
    limits = Limits(queue_rows_max=16)
    with (
        held_server(tmp_path, limits=limits) as server,
        gateway_to(server.address) as door,
    ):
        answers = [
            door.post("/v1/jobs", json={"prompt": f"{number}", "num_images": 4})
            for number in range(40)
        ]
        listed = door.get("/v1/jobs", params={"limit": 1_000}).json()["data"]
        refused = [one for one in answers if one.status_code != 202]
        for job in listed:
            door.delete(job["url"], params={"forget": True})
        kept = door.get("/v1/jobs").json()["data"]
        after = door.post("/v1/jobs", json={"prompt": "once more"})

    assert {one.status_code for one in answers} == {202, 429}
    assert {one.json()["error"]["reason"] for one in refused} == {"QUEUE_FULL"}
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert all(len(one.content) < 1_000 for one in refused)
    assert len(listed) == len(answers) - len(refused)
    assert (kept, after.status_code) == ([], 202)


@pytest.mark.parametrize(
    ("said", "scheme"), [({}, "http"), ({"X-Forwarded-Proto": "https"}, "https")]
)
def test_url_is_that_by_which_it_was_asked(
    door: httpx.Client, said: dict[str, str], scheme: str
) -> None:
    """Also where a proxy ended TLS: a token is not sent to it without."""
    asked = {"prompt": "a cat", "response_format": "url"}

    answer = door.post(
        "/v1/images/generations", json=asked, headers={"Host": "styles.example:80", **said}
    ).json()

    assert answer["data"][0]["url"].startswith(f"{scheme}://styles.example")
