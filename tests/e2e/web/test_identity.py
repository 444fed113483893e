# SPDX-License-Identifier: Apache-2.0
"""A server that asks who calls, behind a gateway that is nobody."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
import webuiapi

from tabard import Client
from tests.e2e.conftest import run_server
from tests.e2e.web.conftest import run_gateway
from tests.e2e.web.tokens import first_token, is_known
from tests.web.running import until


@pytest.fixture(scope="module")
def place(
    tiny_base: Path, tiny_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Client]]:
    """A gateway to a server with a private style, and a client of its admin."""
    folder = tmp_path_factory.mktemp("asking-server")
    settings = {"identity_tokens": "true", "poll_seconds": "0.05"}
    with (
        run_server(folder, base=tiny_base, is_forked=True, **settings) as server,
        run_gateway(server.address) as url,
    ):
        admin = Client(server.address, token=first_token(server.registry))
        until(lambda: is_known(admin))
        admin.publish("acme/ink", tiny_files["style0"], version="1.0.0")
        admin.promote("acme/ink@1.0.0")
        admin.set_policy("acme", private=True, reason="ours")
        yield url, admin
        admin.close()


def tool_of(url: str, token: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0)


def draw(tool: openai.OpenAI, model: str) -> None:
    tool.images.generate(prompt="a", model=model, extra_body={"num_inference_steps": 2})


def test_token_draws_what_it_may(place: tuple[str, Client]) -> None:
    """A private style is there for whoever may generate with it, and for nobody else."""
    url, admin = place
    may = admin.create_token("ann", grants={"acme": ("generate",)}, reason="x").secret
    may_not = admin.create_token("bob", grants={"other": ("generate",)}, reason="x").secret

    with tool_of(url, may) as ann, tool_of(url, may_not) as bob:
        draw(ann, "acme/ink")
        models = [{one.id for one in tool.models.list()} for tool in (ann, bob)]
        with pytest.raises((openai.NotFoundError, openai.PermissionDeniedError)):
            draw(bob, "acme/ink")

    assert models == [{"base", "acme/ink"}, {"base"}]


@pytest.mark.parametrize("token", ["no-token-of-it", "tbd_000000000000_" + "a" * 43])
def test_wrong_token_is_refused(place: tuple[str, Client], token: str) -> None:
    """Nobody else's is shown in its place."""
    with tool_of(place[0], token) as tool, pytest.raises(openai.AuthenticationError) as refused:
        draw(tool, "base")

    assert refused.value.code == "invalid_api_key"
    assert token not in str(refused.value)


def test_revoked_token_is_refused(place: tuple[str, Client]) -> None:
    """At the next request, by the connection that it had drawn with."""
    url, admin = place
    made = admin.create_token("eve", grants={"acme": ("generate",)}, reason="x")
    with tool_of(url, made.secret) as tool:
        draw(tool, "acme/ink")
        admin.revoke_token(made.token.id, reason="over")

        with pytest.raises(openai.AuthenticationError) as refused:
            while True:
                draw(tool, "acme/ink")

    assert isinstance(refused.value.body, dict)
    assert refused.value.body["reason"] == "TOKEN_REVOKED"


def test_password_is_a_token(place: tuple[str, Client]) -> None:
    """Tools of A1111 know users and passwords only."""
    url, admin = place
    token = admin.create_token("tim", grants={"acme": ("generate",)}, reason="x").secret
    tool = webuiapi.WebUIApi(baseurl=f"{url}/sdapi/v1", username="tim", password=token, steps=2)

    answer = tool.txt2img(prompt="a <lora:ink:1>", width=64, height=64)
    tool.session.auth = None
    with pytest.raises(RuntimeError) as refused:
        tool.txt2img(prompt="a <lora:ink:1>", width=64, height=64)
    tool.session.close()

    assert answer.info["worn"][0]["adapter"] == "acme/ink"
    assert refused.value.args[0] == 401


def test_job_of_a_revoked_token_is_nobodys(place: tuple[str, Client]) -> None:
    """No path of it answers by that token any more; each door says so in its own shape."""
    url, admin = place
    made = admin.create_token("zoe", grants={"acme": ("generate",)}, reason="x")
    other = admin.create_token("max", grants={"acme": ("generate",)}, reason="x").secret
    headers = {"Authorization": f"Bearer {made.secret}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as zoe:
        job = zoe.post("/v1/jobs", json={"prompt": "a", "num_inference_steps": 2}).json()["url"]
        strange = zoe.get(job, headers={"Authorization": f"Bearer {other}"})
        until(lambda: zoe.get(job).json()["ended_at"])
        admin.revoke_token(made.token.id, reason="over")
        until(lambda: zoe.get(job).status_code == 401)
        paths = (job, f"{job}/events", f"{job}/images/0", "/v1/jobs", "/sdapi/v1/loras")
        refused = [zoe.get(path) for path in paths]

    assert (strange.status_code, strange.json()["error"]["reason"]) == (404, "JOB_UNKNOWN")
    assert [one.status_code for one in refused] == [401] * len(paths)
    assert {one.json()["error"]["reason"] for one in refused[:-1]} == {"TOKEN_REVOKED"}
    assert refused[-1].json()["error"] == "TOKEN_REVOKED"
