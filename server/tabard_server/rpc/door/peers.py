# SPDX-License-Identifier: Apache-2.0
"""Who calls over gRPC, as far as places go: an address, until it is known who."""

import ipaddress
from urllib.parse import unquote

from tabard_registry.identity.identity import Identity
from tabard_server.callers.caller import Caller

_LOOPBACK = "loopback"
_IPV6_PREFIX = 64
"""Bits of an IPv6 address that are one subscriber's; the rest it chooses as it likes."""


def caller_of(peer: str) -> Caller:
    """Make the caller of a peer as gRPC writes it: `ipv4:192.0.2.7:50432`, `unix:`, ….

    Of another machine the address counts, however many connections it opens. On loopback everybody
    has the same address, a proxy's callers too: there each connection is a caller. Who comes by a
    unix socket cannot be told apart.
    """
    family, _colon, rest = peer.partition(":")
    host = unquote(rest).rpartition(":")[0].strip("[]")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return Caller(family, address=family)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return Caller(peer, address=_LOOPBACK)
    if isinstance(address, ipaddress.IPv6Address):
        network = str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
        return Caller(network, address=network)
    return Caller(str(address), address=str(address))


def caller_known_as(identity: Identity) -> Caller:
    """Make the caller of an identity: the same by whatever connection, a proxy's too.

    No peer is written like that.
    """
    return Caller(f"{identity.proof}:{identity.name}", tenant=identity.tenant)
