# SPDX-License-Identifier: Apache-2.0
"""What a gRPC call shows, out of its metadata and its connection."""

from typing import Any

from tabard_server.identity.credentials import Credentials
from tabard_server.rpc.door.credentials import credentials_of

NAMES = {
    "x509_common_name": [b"ann"],
    "peer_uri": [b"spiffe://x/a", b"spiffe://x/b"],
    "peer_dns": [b"a.example"],
    "x509_pem_cert": [b"-----BEGIN"],
}


class Call:
    """A call as gRPC shows it."""

    def __init__(self, *metadata: tuple[str, Any], about: dict[str, list[bytes]]) -> None:
        self._metadata, self._about = metadata, about

    def invocation_metadata(self) -> Any:
        """Return what the caller said."""
        return self._metadata

    def auth_context(self) -> Any:
        """Return what is known of the connection."""
        return self._about


def test_names_have_their_kinds() -> None:
    """A certificate is shown by all its names; what is no name is left out."""
    found = credentials_of(Call(("user-agent", "x"), about=NAMES))

    assert found == Credentials(
        certificate=("uri:spiffe://x/a", "uri:spiffe://x/b", "dns:a.example", "cn:ann")
    )


def test_token_comes_before_the_certificate() -> None:
    """Who shows a token is asked for nothing else."""
    found = credentials_of(Call(("authorization", "Bearer x"), about=NAMES))

    assert (found.bearer, found.certificate) == ("x", ())
