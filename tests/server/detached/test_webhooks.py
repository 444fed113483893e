# SPDX-License-Identifier: Apache-2.0
"""Webhooks: signed so that anybody's library can check it, tried again within bounds."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tabard_server.detached.record import Failure, Hook, HookState, JobRecord, ended
from tabard_server.detached.webhooks import Webhooks
from tabard_server.error_kinds import refusal_of
from tabard_server.errors import InvalidRequest, NotServing
from tabard_server.webhooks.receivers import Receivers
from tabard_server.webhooks.settings import JobsSettings
from tests.server.detached.records import done, record
from tests.server.webhooks.listening import SECRET, Listener, answer, listening


def settings(**said: Any) -> JobsSettings:
    usual = {
        "webhook_secret": SECRET,
        "webhook_http": True,
        "webhook_networks": ("127.0.0.0/8",),
        "webhook_retry_seconds": 0.001,
        "webhook_attempts_max": 3,
    }
    return JobsSettings.model_validate(usual | said, strict=False)


def webhooks(resolve: Any = None, **said: Any) -> Webhooks:
    chosen = settings(**said)
    return Webhooks(
        chosen,
        receivers=Receivers(chosen, resolve=resolve),
        clock=lambda: 1_700_000_000.9,
        jitter=lambda: 1.0,
    )


async def tries(one: JobRecord, hooks: Webhooks) -> list[Hook]:
    return [hook async for hook in hooks.send(one)]


def send(
    answers: Callable[[int], bytes | None], one: JobRecord | None = None, **said: Any
) -> tuple[list[Hook], Listener]:
    """Tell a receiver of a job."""

    async def walk() -> tuple[list[Hook], Listener]:
        async with listening() as listener:
            listener.answers = answers
            over = replace(one or done(), hook=Hook(url=listener.url()))
            return await tries(over, webhooks(**said)), listener

    return asyncio.run(walk())


def test_end_is_told_with_ids_and_links() -> None:
    """No picture is in it, and the signature holds."""
    told, listener = send(lambda _n: answer(200), webhook_links="https://images.example.com/")

    [heard] = listener.heard
    job = done().id
    assert heard.is_signed
    assert heard.headers["webhook-id"] == f"msg_{job}_1"
    assert heard.headers["webhook-timestamp"] == "1700000000"
    assert heard.told["type"] == "job.succeeded"
    assert heard.told["data"]["url"] == f"https://images.example.com/v1/jobs/{job}"
    assert heard.told["data"]["images"][0]["url"].endswith(f"/v1/jobs/{job}/images/0")
    assert len(heard.body) < 1_000
    assert [one.state for one in told] == [HookState.DELIVERED]


def test_failure_is_told_by_its_reason() -> None:
    """Its words may quote a caller."""
    failure = Failure.of(refusal_of(NotServing("of a secret prompt", retry_seconds=1.0)))
    over = ended(record(), event_id=9, now=5.0, failure=failure)

    _told, listener = send(lambda _n: answer(200), over)

    [heard] = listener.heard
    assert heard.told["data"]["error"] == {"reason": "NOT_SERVING"}
    assert b"secret" not in heard.body


@pytest.mark.parametrize("status", [500, 302, 404])
def test_what_is_not_taken_is_sent_again(status: int) -> None:
    """The same id each time, and no more often than is set."""
    told, listener = send(lambda _n: answer(status, "Location: http://127.0.0.1:1/"))

    assert [one.state.value for one in told] == ["waiting", "waiting", "failed"]
    assert told[-1].problem == f"status {status}"
    assert len({heard.headers["webhook-id"] for heard in listener.heard}) == 1
    assert len(listener.heard) == 3


def test_receiver_that_recovers_hears_of_it() -> None:
    """And is not asked any more."""
    told, listener = send(lambda number: answer(200 if number else 503))

    assert [one.state.value for one in told] == ["waiting", "delivered"]
    assert (told[-1].attempts, told[-1].problem) == (2, "")
    assert len(listener.heard) == 2


def test_receiver_that_wants_no_more_is_left() -> None:
    """Gone is gone."""
    told, listener = send(lambda _n: answer(410))

    assert [one.state.value for one in told] == ["failed"]
    assert len(listener.heard) == 1


def test_slow_receiver_is_tried_again() -> None:
    """It holds a place for no longer than one try may take."""
    told, _listener = send(
        lambda number: None if not number else answer(200), webhook_seconds_max=0.1
    )

    assert [one.state.value for one in told] == ["waiting", "delivered"]
    assert "within" in told[0].problem


def test_name_that_turns_inside_is_never_asked() -> None:
    """DNS that says one thing first, and another at the next try."""
    addresses = iter(["169.254.169.254", "127.0.0.1", "10.0.0.1"])

    async def resolve(_host: str, _port: int) -> list[str]:
        return [next(addresses)]

    async def walk() -> None:
        async with listening() as listener:
            url = f"http://hooks.example.com:{listener.port}/"
            over = done(hook_url=url)
            told = await tries(over, webhooks(resolve, webhook_networks=()))
            assert told[-1].state is HookState.FAILED
            assert "not public" in told[-1].problem
            assert not listener.heard

    asyncio.run(walk())


def test_waits_grow_and_are_bounded() -> None:
    """Twice as long each time, up to the most."""
    hooks = webhooks(webhook_retry_seconds=5.0, webhook_retry_seconds_max=60.0)

    waits = [hooks._wait_after(number) for number in range(1, 8)]
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_server_without_a_secret_takes_no_webhook() -> None:
    """One of the tenant's own is as good."""
    own = [{"tenant": "studio", "secret": SECRET}]
    hooks = webhooks(webhook_secret="", webhook_secrets=own)
    hooks.check("https://hooks.example.com/", tenant="studio")

    with pytest.raises(InvalidRequest) as refused:
        hooks.check("https://hooks.example.com/", tenant="press")
    assert refused.value.reason == "WEBHOOKS_OFF"
