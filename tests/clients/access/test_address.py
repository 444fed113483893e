# SPDX-License-Identifier: Apache-2.0
"""Where a server is, whether TLS is spoken there, and whether it is this machine."""

import pytest

from tabard import InvalidArgument
from tabard.access.address import read_address


@pytest.mark.parametrize(
    ("text", "target", "is_tls", "is_near"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051", False, True),
        ("localhost:1", "localhost:1", False, True),
        ("[::1]:1", "[::1]:1", False, True),
        ("unix:/run/tabard", "unix:/run/tabard", False, True),
        ("styles.example:1", "styles.example:1", False, False),
        ("grpcs://styles.example:1", "styles.example:1", True, False),
        ("GRPCS://styles.example:1/", "styles.example:1", True, False),
        ("grpcs://127.0.0.1:1", "127.0.0.1:1", True, True),
        ("dns:///styles.example:1", "dns:///styles.example:1", False, False),
    ],
)
def test_address_says_what_is_spoken(text: str, target: str, is_tls: bool, is_near: bool) -> None:
    """The scheme is for us, the rest for gRPC."""
    found = read_address(text)

    assert (found.target, found.is_tls, found.is_near) == (target, is_tls, is_near)


@pytest.mark.parametrize(
    "text",
    [
        "127.evil.example:1",
        "127.0.0.1.evil.example:1",
        "localhost.evil.example:1",
        "ipv4:127.0.0.1:1,203.0.113.1:1",
        "dns:///127.0.0.1.evil.example:1",
    ],
)
def test_name_that_looks_near_is_far(text: str) -> None:
    """A secret would go there in the open."""
    assert not read_address(text).is_near


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "use host:port"),
        ("  ", "use host:port"),
        ("host", "host:50051"),
        ("host:0", "host:50051"),
        ("[::1]", "[::1]:50051"),
        ("127.0.0.1:99999", "127.0.0.1:50051"),
        ("nonsense address", "host:50051"),
        ("localhost:abc", "host:50051"),
        (":50051", "host:50051"),
        ("grpcs://host", "grpcs://host:50051"),
        ("grpcs://", "grpcs://host:50051"),
        ("grpcs://ann@host:1", "grpcs://host:50051"),
        ("grpcs://host:1/path", "grpcs://host:50051"),
        ("https://host:1/", "write grpcs://host:1"),
        ("grpc://host:1", "write host:1"),
        ("http://host:1", "write host:1"),
    ],
)
def test_what_is_no_address_says_how(text: str, hint: str) -> None:
    """In one sentence, with what to write."""
    with pytest.raises(InvalidArgument) as caught:
        read_address(text)

    assert caught.value.reason == "BAD_ADDRESS"
    assert hint in caught.value.hint
