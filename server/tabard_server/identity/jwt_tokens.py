# SPDX-License-Identifier: Apache-2.0
"""Tokens of an OpenID Connect issuer: signature, issuer, audience and times checked by PyJWT.

In: a JWT. Out: a session by its claims. Only signatures by a private key count; what was checked a
moment ago is not checked again.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from tabard_registry import InvalidField
from tabard_registry.acts.author import ACTOR_CHARS_MAX
from tabard_registry.errors import check_text
from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.tokens import TOKEN_NAME_CHARS_MAX
from tabard_server.access.settings import IdentitySettings
from tabard_server.errors import Unauthenticated
from tabard_server.identity.credentials import Session
from tabard_server.identity.jwks import IssuerKeys
from tabard_server.identity.mapping import claim_of, grants_by_claims
from tabard_server.identity.tokens import expired

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Signatures that only the issuer can make."""
REMEMBERED_MAX = 4_096
"""Tokens that are not checked again, the last ones used."""
REMEMBERED_SECONDS_MAX = 60.0
"""For how long: a key that the issuer took away counts no longer than that."""

_HINT = "get another one from the issuer; identity.jwt_* of the server says what it takes"


class IssuerTokens:
    """Knows the tokens of one issuer. Asyncio thread."""

    def __init__(
        self,
        settings: IdentitySettings,
        *,
        keys: IssuerKeys,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what must be in a token, the issuer's keys, and the clock: seconds of the epoch."""
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._monotonic = monotonic
        self._remembered: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()

    async def session(self, text: str) -> Session:
        """Return whose token it is.

        Raises:
            Unauthenticated: It is not one that counts; the message says why.
            NotServing: The issuer's keys cannot be fetched.
        """
        name = hashlib.sha256(text.encode()).digest()
        session = self._recall(name)
        if session is None:
            session = self._session(await self._claims(text))
            self._remembered[name] = session, self._monotonic()
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return session

    def _recall(self, name: bytes) -> Session | None:
        found = self._remembered.get(name)
        if found is None:
            return None
        session, checked_at = found
        is_fresh = self._monotonic() - checked_at < REMEMBERED_SECONDS_MAX
        if not is_fresh or (session.expires_at or 0.0) <= self._clock():
            del self._remembered[name]
            return None
        self._remembered.move_to_end(name)
        return session

    async def _claims(self, text: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(text)
            algorithm = header.get("alg")
            if algorithm not in ALGORITHMS:
                raise jwt.InvalidAlgorithmError
            found = await self._keys.key(header.get("kid"))
            if found is None:
                raise jwt.InvalidKeyError
            # A key may leave open how it signs, as RSA can in several ways.
            chosen = found.get("alg") or (algorithm if found.get("kty") == "RSA" else None)
            key = jwt.PyJWK(dict(found), algorithm=chosen)
            return self._decode(text, key, algorithm=str(algorithm))
        except jwt.ExpiredSignatureError:
            raise expired("the issuer") from None
        except jwt.PyJWTError as error:
            # From None: what the library says may hold what was sent.
            raise _invalid(_why(error)) from None

    def _decode(self, text: str, key: jwt.PyJWK, *, algorithm: str) -> Mapping[str, Any]:
        settings = self._settings
        claims: Mapping[str, Any] = jwt.decode(
            text,
            key=key,
            algorithms=[algorithm],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            leeway=settings.jwt_leeway_seconds,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )
        return claims

    def _session(self, claims: Mapping[str, Any]) -> Session:
        settings = self._settings
        name = _text_of(claims, settings.jwt_name_claim, chars_max=ACTOR_CHARS_MAX)
        tenant = name
        if settings.jwt_tenant_claim:
            tenant = _text_of(claims, settings.jwt_tenant_claim, chars_max=TOKEN_NAME_CHARS_MAX)
        return Session(
            identity=Identity(
                name=name,
                tenant=tenant,
                grants=grants_by_claims(claims, rules=settings.jwt_grants),
                proof=Proof.JWT,
            ),
            expires_at=float(claims["exp"]) + settings.jwt_leeway_seconds,
        )


def _text_of(claims: Mapping[str, Any], name: str, *, chars_max: int) -> str:
    found = claim_of(claims, name)
    if not isinstance(found, str) or not found.strip():
        raise _invalid(f"its claim {name} says nobody's name")
    try:
        check_text(f"its claim {name}", found, chars_max=chars_max)
    except InvalidField as error:
        raise _invalid(str(error)) from None
    return found


def _invalid(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"the token of the issuer does not count here: {why}", reason="JWT_INVALID", hint=_HINT
    )


def _why(error: jwt.PyJWTError) -> str:
    """Say what is wrong with a token, in words of ours: those of the library may quote it."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it has no claim {error.claim}"
    reasons: tuple[tuple[type[Exception], str], ...] = (
        (jwt.InvalidAudienceError, "it is made for another audience (aud)"),
        (jwt.InvalidIssuerError, "it is another issuer's (iss)"),
        (jwt.ImmatureSignatureError, "it does not count yet (nbf, iat)"),
        (jwt.InvalidAlgorithmError, "its signature is of a kind that is not taken (alg)"),
        (jwt.InvalidKeyError, "the issuer has no such key (kid)"),
        (jwt.PyJWKError, "the issuer's key cannot be used"),
        (jwt.InvalidSignatureError, "its signature is not right"),
        (jwt.DecodeError, "it cannot be read"),
    )
    return next((why for kind, why in reasons if isinstance(error, kind)), "a claim is not right")
