# SPDX-License-Identifier: Apache-2.0
"""Every error of the SDK has a status, and nothing that fails tells what it should not."""

import re

import httpx
import pytest
from starlette.types import ASGIApp

from tabard import InvalidArgument, ResourceExhausted, TabardError
from tabard_web import failures
from tabard_web.app import build_app
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus
from tests.root import ROOT
from tests.web.running import running


def tree(root: type[TabardError]) -> set[type[TabardError]]:
    return {*root.__subclasses__(), *(one for two in root.__subclasses__() for one in tree(two))}


def test_every_error_has_a_status() -> None:
    """None of the tree is answered by accident."""
    assert set(failures.STATUSES) == tree(TabardError)
    assert failures.status_of(TabardError("who knows")) == 500


def test_reasons_are_documented() -> None:
    """Whoever meets one finds what it means."""
    pages = [(ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("web", "sdk", "errors")]
    sources = [one.read_text("utf-8") for one in (ROOT / "clients/web/tabard_web").rglob("*.py")]
    said = {found for text in sources for found in re.findall(r'reason="([A-Z_]+)"', text)}

    unknown = [one for one in said if not any(f"`{one}`" in page for page in pages)]

    assert len(said) > 10
    assert not unknown


def test_reasons_of_http_have_its_statuses() -> None:
    """What HTTP has a word for is said in it."""
    error = InvalidArgument("too large", reason="BODY_TOO_LARGE")

    assert failures.status_of(error) == 413


def test_waiting_is_told_in_headers() -> None:
    """OpenAI's clients retry by status alone, unless they are told; seconds are whole ones."""
    answering = failures.Failures({}, default=lambda error: {"said": str(error)})

    full = answering.answer("/", ResourceExhausted("full", retry_after_seconds=1.2))
    large = answering.answer("/", ResourceExhausted("too large for the device"))

    assert (full.headers["retry-after"], full.headers["x-should-retry"]) == ("2", "true")
    assert "retry-after" not in large.headers
    assert large.headers["x-should-retry"] == "false"


def test_paths_say_how_they_are_asked(web: httpx.Client) -> None:
    """Whoever asks a path otherwise, or one that is none, is told what there is."""
    otherwise = web.get("/v1/images/generations")
    nowhere = web.get("/v1/none")

    assert (otherwise.status_code, otherwise.headers["allow"]) == (405, "POST")
    assert otherwise.json()["error"]["reason"] == "METHOD_NOT_ALLOWED"
    assert (nowhere.status_code, nowhere.json()["error"]["reason"]) == (404, "PATH_UNKNOWN")
    assert "Allow" in otherwise.json()["error"]["hint"]
    assert "/openapi.json" in nowhere.json()["error"]["hint"]


def test_each_door_has_its_shape() -> None:
    """A failure is told as the tools of its path expect it."""
    answering = failures.Failures({"/a/": lambda _: {"at": "a"}}, default=lambda _: {"at": "rest"})

    told = [answering.answer(path, TabardError("x")).body for path in ("/a/b", "/ab")]

    assert told == [b'{"at":"a"}', b'{"at":"rest"}']


def test_servers_refusal_arrives_whole(web: httpx.Client, server: FakeServer) -> None:
    """Reason, hint and the wait that the server asks for are passed on."""
    server.state.fail_with = FakeStatus(8, "full", "QUEUE_FULL", "come back", retry_seconds=3)

    answer = web.get("/v1/models")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json()["error"]["reason"] == "QUEUE_FULL"


def test_unforeseen_failure_tells_nothing() -> None:
    """What broke is for the log, with the headers of every answer."""

    def broken(_token: str) -> ASGIApp:
        raise RuntimeError("the secret of the house")

    with running(build_app(broken)) as url:  # type: ignore[arg-type]
        answer = httpx.get(f"{url}/readyz", trust_env=False)

    assert answer.status_code == 500
    assert answer.json()["error"]["reason"] == "GATEWAY_FAILED"
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v2/nothing", 404), ("DELETE", "/healthz", 405)]
)
def test_unknown_paths_have_a_shape(web: httpx.Client, method: str, path: str, status: int) -> None:
    """What is not there is told like any other failure."""
    answer = web.request(method, path)

    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_strange_letters_do_not_break_an_answer() -> None:
    """Half a character in a text is written as what it is."""
    assert failures.json_response({"a": "\ud800"}).body == b'{"a":"\\ud800"}'
