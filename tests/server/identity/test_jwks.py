# SPDX-License-Identifier: Apache-2.0
"""Keys of an issuer: what is taken from a document. A real issuer is in test_jwt_tokens.py."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tabard_server.access.settings import IdentitySettings
from tabard_server.errors import NotServing
from tabard_server.identity.jwks import FETCH_SECONDS_MIN, IssuerKeys

ISSUER = "https://issuer.example"
SETTINGS = IdentitySettings(jwt_issuer=ISSUER, jwt_audience="tabard")
KEY = {"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"}


def keys_from(documents: dict[str, Any], *, clock: Callable[[], float] = lambda: 0.0) -> IssuerKeys:
    """Return the keys of an issuer that answers so."""
    return IssuerKeys(SETTINGS, fetch=documents.__getitem__, clock=clock)


def documents_with(*keys: Any, **discovery: Any) -> dict[str, Any]:
    """Return what an issuer shows."""
    said = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"} | discovery
    return {
        f"{ISSUER}/.well-known/openid-configuration": said,
        f"{said['jwks_uri']}": {"keys": list(keys)},
    }


def test_only_public_keys_that_sign_are_taken() -> None:
    """Shared secrets, keys for encryption and what is no key are passed over."""
    shown = (
        KEY,
        {"kty": "oct", "kid": "shared", "k": "AQAB"},
        KEY | {"kid": "sealing", "use": "enc"},
        "no key",
    )
    keys = keys_from(documents_with(*shown))

    async def walk() -> list[Any]:
        return [await keys.key(name) for name in ("one", "shared", "sealing", None)]

    assert asyncio.run(walk()) == [KEY, None, None, KEY]


@pytest.mark.parametrize(
    "documents",
    [
        documents_with(KEY, issuer="https://other.example"),
        documents_with(KEY, jwks_uri="http://issuer.example/keys"),
        documents_with(KEY, jwks_uri="file:///etc/keys"),
        documents_with(KEY, jwks_uri=7),
        {f"{ISSUER}/.well-known/openid-configuration": []},
        documents_with(KEY) | {f"{ISSUER}/keys": {"keys": "none"}},
    ],
)
def test_document_of_another_issuer_is_not_believed(documents: dict[str, Any]) -> None:
    """Nor one that leads to where anybody on the way may answer."""
    with pytest.raises(NotServing):
        asyncio.run(keys_from(documents).key("one"))


def test_keys_are_asked_for_again_when_old() -> None:
    """Once the time of the settings is over, and not before."""
    asked: list[str] = []
    documents, now = documents_with(KEY), [0.0]

    def fetch(url: str) -> Any:
        asked.append(url)
        return documents[url]

    keys = IssuerKeys(SETTINGS, fetch=fetch, clock=lambda: now[0])

    async def walk() -> list[int]:
        counts = []
        for seconds in (0.0, FETCH_SECONDS_MIN, SETTINGS.jwt_keys_seconds_max):
            now[0] = seconds
            await keys.key("one")
            counts.append(len(asked))
        return counts

    assert asyncio.run(walk()) == [2, 2, 4]
