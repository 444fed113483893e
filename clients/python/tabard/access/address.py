# SPDX-License-Identifier: Apache-2.0
"""The address of a server: `host:port`, the same with TLS as `grpcs://host:port`, or a socket.

In: a text. Out: what gRPC is asked for, and whether what is sent there can be read on the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tabard.errors import InvalidArgument

TLS_SCHEME = "grpcs://"

_HOST_AND_PORT = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-fA-F:.%\w]+\])(?::(?P<port>\d{1,9}))?")
_PORTS = range(1, 65_536)
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]", re.IGNORECASE)
_SOCKETS = ("unix:", "unix-abstract:")
_TARGET = re.compile(r"(?:unix|unix-abstract|vsock|dns|ipv4|ipv6|xds):.+")
"""What gRPC itself reads, in forms of its own."""
_OTHER_SCHEMES = re.compile(r"(?P<scheme>https?|grpc)://(?P<rest>.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is.

    Attributes:
        text: As it was written.
        target: What gRPC is asked for.
        is_tls: Whether TLS is spoken there.
        is_near: Whether nothing leaves this machine on the way: loopback, or a socket.
        place: Host and port; None where only gRPC knows.
    """

    text: str
    target: str
    is_tls: bool
    is_near: bool
    place: tuple[str, int] | None


def read_address(text: str) -> Address:
    """Read an address.

    Raises:
        InvalidArgument: It is none; the hint says how to write it.
    """
    if not text.strip():
        raise InvalidArgument(
            "the server address is empty", reason="BAD_ADDRESS", hint="use host:port"
        )
    if other := _OTHER_SCHEMES.fullmatch(text):
        _refuse_scheme(text, other["scheme"].lower(), other["rest"].rstrip("/"))
    is_tls = text.lower().startswith(TLS_SCHEME)
    target = text[len(TLS_SCHEME) :].rstrip("/") if is_tls else text
    plain = _HOST_AND_PORT.fullmatch(target)
    if plain is None:
        if is_tls or _TARGET.fullmatch(text) is None:
            behind = f" behind {TLS_SCHEME}" if is_tls else ""
            raise InvalidArgument(
                f"the server address '{text}' has no host and port{behind}",
                reason="BAD_ADDRESS",
                hint=f"write {TLS_SCHEME if is_tls else ''}host:50051",
            )
        return Address(
            text=text, target=target, is_tls=False, is_near=target.startswith(_SOCKETS), place=None
        )
    host, port = plain["host"], int(plain["port"] or 0)
    if port not in _PORTS:
        scheme = TLS_SCHEME if is_tls else ""
        raise InvalidArgument(
            f"the server address '{text}' has no port from 1 to {_PORTS[-1]}",
            reason="BAD_ADDRESS",
            hint=f"write the port that the server listens on, as {scheme}{host}:50051",
        )
    return Address(
        text=text,
        target=target,
        is_tls=is_tls,
        is_near=_LOOPBACK.fullmatch(host) is not None,
        place=(host.strip("[]"), port),
    )


def _refuse_scheme(text: str, scheme: str, rest: str) -> None:
    """Say what an address with the scheme of something else would be here."""
    meant = f"{TLS_SCHEME}{rest}" if scheme == "https" else rest
    raise InvalidArgument(
        f"the server address '{text}' begins with {scheme}://, which nobody speaks here",
        reason="BAD_ADDRESS",
        hint=f"write {meant}" if scheme != "http" else f"write {meant}, with the port of gRPC",
    )
