# SPDX-License-Identifier: Apache-2.0
"""The keys of an issuer: fetched, kept for a while, and fetched again when one is not known.

In: an issuer, or where its keys are. Out: a key by its id. However many tokens with invented key
ids come, the issuer is asked once in a while and not more.
"""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from tabard_server.access.settings import IdentitySettings, is_safe_url
from tabard_server.errors import NotServing
from tabard_server.telemetry.logs import log_event, log_problem

FETCH_SECONDS_MIN = 10.0
"""Between two times that the issuer is asked, whatever is asked for."""
_FETCH_SECONDS_MAX = 5.0
_KEPT_SECONDS_MAX = 24 * 3_600.0
"""How long keys count when the issuer cannot be asked."""
_BYTES_MAX = 1 << 20
_KINDS = ("RSA", "EC", "OKP")
"""Kinds of public keys. A shared secret among them would be everybody's."""

Fetch = Callable[[str], Any]
"""Fetches the JSON at a URL; raises OSError or ValueError."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: the URL is what was vouched for."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        """Follow nothing."""


def fetch_json(url: str) -> Any:
    """Fetch JSON, within bounds.

    Raises:
        OSError: It cannot be had.
        ValueError: It is none, or too much.
    """
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(url, timeout=_FETCH_SECONDS_MAX) as answer:
        data = answer.read(_BYTES_MAX + 1)
    if len(data) > _BYTES_MAX:
        raise ValueError(f"more than {_BYTES_MAX} bytes")
    return json.loads(data)


class IssuerKeys:
    """The keys of one issuer. Asyncio thread; fetches in another."""

    def __init__(
        self,
        settings: IdentitySettings,
        *,
        fetch: Fetch = fetch_json,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where they are; nothing is fetched yet."""
        self._issuer = settings.jwt_issuer
        self._url = settings.jwt_jwks_url
        self._seconds_max = settings.jwt_keys_seconds_max
        self._fetch = fetch
        self._clock = clock
        self._keys: tuple[Mapping[str, Any], ...] = ()
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str | None) -> Mapping[str, Any] | None:
        """Return a key as JSON; without an id the only one there is. None: there is none.

        Raises:
            NotServing: The keys are not known and cannot be fetched.
        """
        found = self._find(key_id)
        if found is None or self._is_old():
            await self._refresh(key_id)
            found = self._find(key_id)
        return found

    def _find(self, key_id: str | None) -> Mapping[str, Any] | None:
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.get("kid") == key_id), None)

    def _is_old(self, *, seconds_max: float | None = None) -> bool:
        most = self._seconds_max if seconds_max is None else seconds_max
        return self._fetched_at is None or self._clock() - self._fetched_at >= most

    async def _refresh(self, key_id: str | None) -> None:
        async with self._fetching:
            # Whoever waited here may find what it wants.
            is_wanted = self._find(key_id) is None or self._is_old()
            if is_wanted and self._may_ask():
                self._asked_at = self._clock()
                await self._fetch_all()
        if self._is_old(seconds_max=max(_KEPT_SECONDS_MAX, self._seconds_max)):
            raise NotServing(
                "the keys of the issuer of tokens cannot be fetched, so nobody's token can be "
                "checked",
                reason="JWKS_UNAVAILABLE",
                hint="try again; if it goes on, whoever runs the server looks for "
                "identity.keys_not_fetched in its log",
                retry_seconds=FETCH_SECONDS_MIN,
            )

    def _may_ask(self) -> bool:
        return self._asked_at is None or self._clock() - self._asked_at >= FETCH_SECONDS_MIN

    async def _fetch_all(self) -> None:
        try:
            keys = await asyncio.to_thread(self._fetched)
        except (OSError, ValueError) as error:
            log_problem(
                "identity.keys_not_fetched",
                reason="JWKS_UNAVAILABLE",
                message=f"{type(error).__name__}: {error}",
                hint="those that were fetched before count for a day",
            )
            return
        self._keys, self._fetched_at = keys, self._clock()
        log_event("identity.keys_fetched", keys=len(keys))

    def _fetched(self) -> tuple[Mapping[str, Any], ...]:
        document = self._fetch(self._url or self._discovered())
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list):
            raise ValueError("this is no set of keys")
        return tuple(
            key
            for key in keys
            if isinstance(key, dict) and key.get("kty") in _KINDS and key.get("use", "sig") == "sig"
        )

    def _discovered(self) -> str:
        document = self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        said = document if isinstance(document, dict) else {}
        url = said.get("jwks_uri")
        if said.get("issuer") != self._issuer:
            raise ValueError("the discovery document is another issuer's")
        if not isinstance(url, str) or not is_safe_url(url):
            raise ValueError("the discovery document names no jwks_uri that is safe")
        return url
