# SPDX-License-Identifier: Apache-2.0
"""What a gRPC call shows of who makes it: its metadata, and the certificate of its connection."""

from typing import Any

from tabard_server.identity.credentials import Credentials, read_authorization

AUTHORIZATION = "authorization"
"""The key under which a call says who makes it."""

_NAMES = {
    "peer_uri": "uri",
    "peer_dns": "dns",
    "peer_email": "email",
    "x509_common_name": "cn",
}
"""What gRPC calls the names of a checked certificate, and what the settings call them."""


def credentials_of(context: Any) -> Credentials:
    """Read what a call shows.

    Raises:
        Unauthenticated: It cannot be read.
    """
    said = [
        value if isinstance(value, str) else ""
        for key, value in context.invocation_metadata() or ()
        if key == AUTHORIZATION
    ]
    bearer = read_authorization(said)
    if bearer is not None:
        return Credentials(bearer=bearer)
    return Credentials(certificate=_names(context.auth_context()))


def _names(about: Any) -> tuple[str, ...]:
    return tuple(
        f"{kind}:{value.decode(errors='replace')}"
        for key, kind in _NAMES.items()
        for value in about.get(key, ())
    )
