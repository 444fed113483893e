# SPDX-License-Identifier: Apache-2.0
"""Whom a webhook may reach: no address that is not public, however it is written or resolved."""

import asyncio

import pytest

from tabard_server.errors import InvalidRequest
from tabard_server.webhooks.receivers import ReceiverRefused, Receivers
from tabard_server.webhooks.settings import JobsSettings

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "192.0.0.192",
    "192.88.99.1",
    "fec0::1",
    "::7f00:1",
    "::ffff:0:7f00:1",
    "64:ff9b:1::7f00:1",
    "3fff::1",
    "5f00::1",
]
ODD_SPELLINGS = [
    "2130706433",
    "0x7f000001",
    "127.1",
    "0177.0.0.1",
    "localhost",
    "a.localhost",
    "LOCALHOST.",
]


def receivers(*found: str, **said: object) -> Receivers:
    async def resolve(_host: str, _port: int) -> list[str]:
        if not found:
            raise OSError("no such name")
        return list(found)

    return Receivers(JobsSettings.model_validate(said), resolve=resolve)


@pytest.mark.parametrize("address", [one for one in PRIVATE if "%" not in one])
def test_private_address_is_refused_at_the_door(address: str) -> None:
    """Loopback, private, link-local, multicast, reserved, and what stands for one of them."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InvalidRequest) as refused:
        receivers().read(f"https://{host}/hook")
    assert refused.value.reason == "WEBHOOK_REFUSED"


@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_odd_spelling_hides_no_address(host: str) -> None:
    """What the system would take for an address is judged as one."""
    with pytest.raises(InvalidRequest):
        receivers().read(f"https://{host}/hook")


@pytest.mark.parametrize("address", PRIVATE)
def test_name_that_leads_inside_is_refused(address: str) -> None:
    """Also where another address of it is public."""
    known = receivers("93.184.215.14", address)
    receiver = known.read("https://hooks.example.com/")

    with pytest.raises(ReceiverRefused):
        asyncio.run(known.address_of(receiver))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://example.com/",
        "http://example.com/",
        "https://",
        "https:///path",
        "https://user:word@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://exämple.com/",
        "https://[::1",
        "https://a..b/",
        "https://...",
        f"https://{'a' * 64}.example/",
        "https://example.com/" + "a" * 2_000,
    ],
)
def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    """Header lines, credentials and other schemes among it."""
    with pytest.raises(InvalidRequest):
        receivers().read(url)


def test_public_name_is_resolved_once() -> None:
    """The address that was judged is the one that is given."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    known = Receivers(JobsSettings(), resolve=resolve)
    receiver = known.read("https://hooks.example.com:8443/a?b=c")

    assert asyncio.run(known.address_of(receiver)) == "93.184.215.14"
    assert asked == ["hooks.example.com"]
    assert (receiver.target, receiver.named) == ("/a?b=c", "hooks.example.com:8443")


def test_setting_lets_a_network_in() -> None:
    """That one alone; http only where that is said as well."""
    known = receivers("10.20.0.5", webhook_networks=("10.20.0.0/16",), webhook_http=True)

    assert asyncio.run(known.address_of(known.read("http://inside.example.com/"))) == "10.20.0.5"
    with pytest.raises(InvalidRequest):
        known.read("http://10.21.0.5/")


def test_name_without_address_is_refused() -> None:
    """It is tried again later, as any failure."""
    known = receivers()
    with pytest.raises(ReceiverRefused):
        asyncio.run(known.address_of(known.read("https://none.example.com/")))
