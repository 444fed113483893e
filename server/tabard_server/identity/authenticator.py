# SPDX-License-Identifier: Apache-2.0
"""Says who calls: the one place where what a call shows becomes an identity.

In: credentials. Out: a session, or a refusal that says what to do. Where no way of showing is
switched on, whoever calls is anybody. What is shown must count: nothing else is tried in its stead.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tabard_registry import Registry
from tabard_registry.identity.identity import Proof
from tabard_server.access.settings import IdentitySettings
from tabard_server.errors import NotServing, Unauthenticated
from tabard_server.identity.certificates import session_by_certificate
from tabard_server.identity.credentials import UNASKED, Credentials, Session, malformed
from tabard_server.identity.jwks import IssuerKeys
from tabard_server.identity.tokens import PREFIX, RegistryTokens, expired

if TYPE_CHECKING:
    from tabard_server.identity.jwt_tokens import IssuerTokens

_JWT_DOTS = 2


class Authenticator:
    """Knows whoever can be known here. Asyncio thread.

    Attributes:
        is_on: Whether callers are asked who they are.
    """

    def __init__(
        self,
        settings: IdentitySettings,
        *,
        keys: IssuerKeys | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what is switched on; `clock` tells seconds since the epoch."""
        self.is_on = settings.is_on
        self._settings = settings
        self._clock = clock
        self._tokens: RegistryTokens | None = None
        self._issued = (
            _issuer_tokens(settings, keys=keys, clock=clock) if settings.jwt_issuer else None
        )

    def open(self, registry: Registry) -> None:
        """Know the tokens of a registry from now on, if they are taken."""
        if self._settings.tokens:
            self._tokens = RegistryTokens(registry, clock=self._clock)

    async def authenticate(self, shown: Credentials) -> Session:
        """Return who calls.

        Raises:
            Unauthenticated: Nobody who is known here.
            NotServing: It cannot be told yet, or the keys of the issuer cannot be fetched.
        """
        if not self.is_on:
            return UNASKED
        if shown.bearer is not None:
            return await self._by_token(shown.bearer)
        if shown.certificate and self._settings.certificate_grants:
            return session_by_certificate(
                shown.certificate, rules=self._settings.certificate_grants
            )
        raise Unauthenticated(
            "this server asks its callers who they are, and the call does not say",
            reason="TOKEN_MISSING",
            hint="give a token (TABARD_TOKEN, --token-file, tabard login), or a client certificate "
            "where the server takes them",
        )

    def ended(self, session: Session) -> Unauthenticated | None:
        """Say why a session counts no longer; None: it does."""
        identity = session.identity
        if identity.proof is Proof.TOKEN and self._tokens is not None:
            return self._tokens.ended(identity.token_id)
        if session.expires_at is not None and self._clock() >= session.expires_at:
            return expired(identity.name)
        return None

    async def _by_token(self, bearer: str) -> Session:
        if bearer.startswith(PREFIX):
            if self._settings.tokens and self._tokens is None:
                raise NotServing(
                    "the registry is not open yet",
                    reason="NOT_SERVING",
                    hint="try again in a moment",
                    retry_seconds=1.0,
                )
            if self._tokens is not None:
                return self._tokens.session(bearer)
        elif self._issued is not None and bearer.count(".") == _JWT_DOTS:
            return await self._issued.session(bearer)
        raise malformed("this is no token of a kind that this server takes")


def _issuer_tokens(
    settings: IdentitySettings, *, keys: IssuerKeys | None, clock: Callable[[], float]
) -> "IssuerTokens":
    # They bring cryptography, which nobody else here needs.
    from tabard_server.identity.jwt_tokens import IssuerTokens  # noqa: PLC0415

    return IssuerTokens(settings, keys=keys or IssuerKeys(settings), clock=clock)
