# SPDX-License-Identifier: Apache-2.0
"""Whom a server may send a webhook: the URL as it is said, and the addresses that a name leads to.

A name is resolved once, and the address that was judged is the one that is connected to: a name
that leads elsewhere a moment later changes nothing.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from tabard_server.errors import InvalidRequest, invalid
from tabard_server.webhooks.settings import JobsSettings

URL_CHARS_MAX = 2_000
"""Longest URL of a webhook."""
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a name."""

_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_VISIBLE = re.compile(r"[!-~]+")
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that the public internet routes: what is translated, local or free lies outside."""
_NOT_ROUTED = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20"))
)
"""What is set aside within it, whether or not this Python knows that."""


class ReceiverRefused(Exception):
    """A webhook may not be sent there. Its text is for whoever asked for the webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where a webhook goes.

    Attributes:
        host: The name, or an address.
        port: The port.
        target: Path and query.
        is_encrypted: Whether it is asked by TLS.
    """

    host: str
    port: int
    target: str
    is_encrypted: bool

    @property
    def named(self) -> str:
        """The receiver as a `Host` header names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _PORTS["https" if self.is_encrypted else "http"]
        return host if self.port == usual else f"{host}:{self.port}"


class Receivers:
    """Judges receivers by the settings of a server."""

    def __init__(self, settings: JobsSettings, *, resolve: Resolve | None = None) -> None:
        """Take the settings, and what resolves names."""
        self._takes_http = settings.webhook_http
        self._networks = tuple(map(ipaddress.ip_network, settings.webhook_networks))
        self._resolve = resolve or resolve_name

    def read(self, url: str) -> Receiver:
        """Read the URL of a webhook.

        Raises:
            InvalidRequest: It is none, or leads where no webhook may go.
        """
        parts = _split(url)
        if parts.scheme == "http" and not self._takes_http:
            raise _refused("it is not encrypted", "use https:// (jobs.webhook_http)")
        receiver = Receiver(
            host=(parts.hostname or "").rstrip("."),
            port=parts.port or _PORTS[parts.scheme],
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            is_encrypted=parts.scheme == "https",
        )
        if (address := _literal(receiver.host)) is not None and not self.may_reach(address):
            raise _refused(
                f"{receiver.host} is no address of the public internet",
                "use one that is, or have the network allowed (jobs.webhook_networks)",
            )
        return receiver

    async def address_of(self, receiver: Receiver) -> str:
        """Return the address to connect to.

        Raises:
            ReceiverRefused: The name leads nowhere, or where no webhook may go.
        """
        literal = _literal(receiver.host)
        try:
            found = (
                [str(literal)]
                if literal is not None
                else await self._resolve(receiver.host, receiver.port)
            )
        except OSError as error:
            raise ReceiverRefused("its name cannot be resolved") from error
        if not found:
            raise ReceiverRefused("its name has no address")
        for text in found:
            # One that may not be reached spoils the others: who answers so wants to be guessed at.
            if not self.may_reach(ipaddress.ip_address(text.partition("%")[0])):
                raise ReceiverRefused("its name leads to an address that is not public")
        return found[0]

    def may_reach(self, address: Address) -> bool:
        """Say whether a webhook may go to an address."""
        inner = _inner(address)
        if any(one in network for network in self._networks for one in {address, inner}):
            return True
        return inner is address and _is_public(address)


async def resolve_name(host: str, port: int) -> list[str]:
    """Return the addresses of a name, by the system's resolver.

    Raises:
        OSError: There are none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_rest, address in found]


def _split(url: str) -> SplitResult:
    if len(url) > URL_CHARS_MAX or not _VISIBLE.fullmatch(url):
        raise _refused(
            "it is too long, or has characters that no URL has", "write it percent-encoded"
        )
    try:
        parts = urlsplit(url)
        _port = parts.port
        # As a resolver would write it: parts of a name are neither empty nor too long.
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise _refused("it is no URL", "use https://host/path") from error
    if parts.scheme not in _PORTS or not _HOST.fullmatch(parts.hostname or ""):
        raise _refused("it is no https:// URL", "use https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment or _port == 0:
        raise _refused("it has more than host, port, path and query", "leave the rest out")
    return parts


def _literal(host: str) -> Address | None:
    """Return the address that a host is, in whatever spelling the system would take it for one."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        # 127.1, 2130706433 and 0x7f000001 are addresses, too.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NOT_ROUTED):
        return False
    is_routed = isinstance(address, ipaddress.IPv4Address) or address in _UNICAST
    return is_routed and address.is_global and not address.is_multicast


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for; others are themselves."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _refused(message: str, hint: str) -> InvalidRequest:
    return invalid(
        "detach.webhook_url", f"the webhook: {message}", reason="WEBHOOK_REFUSED", hint=hint
    )
