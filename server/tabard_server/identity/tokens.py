# SPDX-License-Identifier: Apache-2.0
"""Tokens of the registry: which one a secret is of, by the newest snapshot, and whether it counts.

In: secrets. Out: sessions. Nothing is kept: what was revoked is refused as soon as it is read.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime

from tabard_registry import Registry
from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.tokens import Token, hash_of, parse_secret, registry_mark
from tabard_server.errors import Unauthenticated
from tabard_server.identity.credentials import Session, malformed

PREFIX = "tabard_"
"""How every secret begins."""


class RegistryTokens:
    """Knows the tokens of one registry. Any thread."""

    def __init__(self, registry: Registry, *, clock: Callable[[], float]) -> None:
        """Take the registry, and the clock: seconds since the epoch."""
        self._registry = registry
        self._mark = registry_mark(registry.id)
        self._clock = clock

    def session(self, secret: str) -> Session:
        """Return whose secret it is.

        Raises:
            Unauthenticated: It is none, or of another registry, or of no token that counts.
        """
        parts = parse_secret(secret)
        if parts is None:
            raise malformed("this is no token: a piece of it is missing, or there is too much")
        if parts.mark != self._mark:
            raise Unauthenticated(
                "this is a token of another registry",
                reason="TOKEN_OF_ANOTHER_REGISTRY",
                hint="give the one that was made for the registry of this server",
            )
        token = self._registry.state.tokens.get(parts.id)
        # Compared even where there is none, so that it takes as long.
        is_it = hmac.compare_digest(hash_of(secret), "" if token is None else token.hash)
        if token is None or not is_it:
            raise Unauthenticated(
                "there is no such token",
                reason="TOKEN_UNKNOWN",
                hint="ask an admin of the registry for one (tabard token create); every server "
                "knows it after a poll",
            )
        self._require_live(token)
        return Session(identity=_identity(token), expires_at=_expiry(token))

    def ended(self, token_id: str) -> Unauthenticated | None:
        """Say why a token counts no longer; None: it does."""
        token = self._registry.state.tokens.get(token_id)
        try:
            if token is None:
                raise _revoked("it is not in the registry any more")
            self._require_live(token)
        except Unauthenticated as error:
            return error
        return None

    def _require_live(self, token: Token) -> None:
        if token.revoked:
            raise _revoked(token.revoke_reason)
        expires_at = _expiry(token)
        if expires_at is not None and self._clock() >= expires_at:
            raise expired(token.name)


def expired(name: str) -> Unauthenticated:
    """Make the refusal of what has expired."""
    return Unauthenticated(
        f"the token of {name} has expired",
        reason="TOKEN_EXPIRED",
        hint="ask for another one: an admin of the registry makes it (tabard token create), or the "
        "issuer",
    )


def _revoked(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"the token was revoked: {why}" if why else "the token was revoked",
        reason="TOKEN_REVOKED",
        hint="ask an admin of the registry for another one (tabard token create)",
    )


def _identity(token: Token) -> Identity:
    return Identity(
        name=token.name,
        tenant=token.tenant,
        grants=token.grants,
        proof=Proof.TOKEN,
        token_id=token.id,
    )


def _expiry(token: Token) -> float | None:
    """Return when a token ends; one whose time cannot be read has ended."""
    if not token.expires_at:
        return None
    try:
        said = datetime.fromisoformat(token.expires_at)
    except ValueError:
        return 0.0
    return said.replace(tzinfo=said.tzinfo or UTC).timestamp()
