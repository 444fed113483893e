# SPDX-License-Identifier: Apache-2.0
"""Who calls, as far as the transport tells."""

import pytest

from tabard_server.rpc.door.peers import caller_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ipv4:192.0.2.7:50001", "ipv4:192.0.2.7:50002"),
        ("ipv6:%5B2001:db8::1%5D:50001", "ipv6:%5B2001:db8::ffff:2%5D:50002"),
        ("ipv6:[2001:db8::1]:50001", "ipv6:%5B2001:db8::1%5D:50002"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:50001", "ipv4:192.0.2.7:50002"),
        ("ipv6:%5Bfe80::1%25eth0%5D:1", "ipv6:%5Bfe80::1%25eth0%5D:2"),
        ("unix:", "unix:"),
    ],
)
def test_one_machine_is_one_caller(one: str, other: str) -> None:
    """However many connections it opens, and whichever of its addresses it takes."""
    assert caller_of(one) == caller_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ipv4:192.0.2.7:50001", "ipv4:192.0.2.8:50001"),
        ("ipv6:%5B2001:db8::1%5D:50001", "ipv6:%5B2001:db8:1::1%5D:50001"),
        ("ipv4:127.0.0.1:50001", "ipv4:127.0.0.1:50002"),
        ("ipv6:%5B::1%5D:50001", "ipv6:%5B::1%5D:50002"),
        ("ipv6:%5B::ffff:127.0.0.1%5D:50001", "ipv6:%5B::ffff:127.0.0.1%5D:50002"),
        ("ipv4:127.0.0.1:50001", "unix:"),
    ],
)
def test_others_are_other_callers(one: str, other: str) -> None:
    """Other machines; and on loopback, where all have one address, other connections."""
    assert caller_of(one) != caller_of(other)


def test_address_is_of_the_machine() -> None:
    """Also on loopback, where connections are callers; by IPv6 of a subscriber."""
    here = caller_of("ipv4:127.0.0.1:50001")

    assert here.address == caller_of("ipv6:%5B::1%5D:50002").address
    assert caller_of("ipv4:192.0.2.7:1").address == "192.0.2.7"
    assert caller_of("ipv6:%5B2001:db8::1%5D:1").address == "2001:db8::/64"
    assert caller_of("unix:").address == "unix"
