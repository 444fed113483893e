# SPDX-License-Identifier: Apache-2.0
"""One HTTP request to one address: over TLS by the receiver's name, and within a bound."""

import asyncio
import ssl
from pathlib import Path

import pytest

from tabard_server.webhooks.posting import NotAnswered, post
from tabard_server.webhooks.receivers import Receiver
from tests.clients.fakes.authority import Authority
from tests.server.webhooks.listening import answer, listening


def receiver(port: int, *, host: str = "hooks.example.com", encrypted: bool = False) -> Receiver:
    return Receiver(host=host, port=port, target="/hook", is_encrypted=encrypted)


async def ask(
    port: int, *, seconds_max: float = 60.0, context: ssl.SSLContext | None = None, host: str = "a"
) -> int:
    return await post(
        receiver(port, host=host, encrypted=context is not None),
        address="127.0.0.1",
        headers={"webhook-id": "msg_1"},
        body=b"{}",
        context=context or ssl.create_default_context(),
        seconds_max=seconds_max,
    )


def test_request_reaches_the_address_under_the_name() -> None:
    """The name is in the header alone: it is not resolved again."""

    async def walk() -> None:
        async with listening() as listener:
            status = await ask(listener.port, host="hooks.example.com")
            [heard] = listener.heard
            assert (status, heard.line) == (204, "POST /hook HTTP/1.1")
            assert heard.headers["host"] == f"hooks.example.com:{listener.port}"
            assert heard.headers["webhook-id"] == "msg_1"
            assert heard.body == b"{}"

    asyncio.run(walk())


def test_redirect_is_not_followed() -> None:
    """It is a status like any other."""

    async def walk() -> None:
        async with listening() as listener, listening() as other:
            listener.answers = lambda _n: answer(302, f"Location: {other.url()}")
            assert await ask(listener.port) == 302
            assert not other.heard

    asyncio.run(walk())


@pytest.mark.parametrize(
    "said", [b"nothing of the kind\r\n", b"HTTP/1.1 2000\r\n", b"", b"x" * 9_000]
)
def test_answer_that_is_no_http_is_none(said: bytes) -> None:
    """However long it is."""

    async def walk() -> None:
        async with listening() as listener:
            listener.answers = lambda _n: said
            with pytest.raises(NotAnswered):
                await ask(listener.port)

    asyncio.run(walk())


def test_slow_receiver_is_left() -> None:
    """Within the bound."""

    async def walk() -> None:
        async with listening() as listener:
            listener.answers = lambda _n: None
            with pytest.raises(NotAnswered, match="within"):
                await ask(listener.port, seconds_max=0.05)

    asyncio.run(walk())


def test_certificate_must_hold_for_the_name(tmp_path: Path) -> None:
    """One for another name, or by an unknown authority, is no answer."""
    authority = Authority(tmp_path, "ours")
    pair = authority.sign("hooks", hosts=("hooks.example.com",))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(pair.certificate, pair.key)
    known = ssl.create_default_context(cafile=str(authority.ca))

    async def walk() -> None:
        async with listening(served) as listener:
            assert await ask(listener.port, context=known, host="hooks.example.com") == 204
            for context, host in (
                (known, "other.example.com"),
                (ssl.create_default_context(), "hooks.example.com"),
            ):
                with pytest.raises(NotAnswered, match="TLS"):
                    await ask(listener.port, context=context, host=host)
            assert len(listener.heard) == 1

    asyncio.run(walk())
