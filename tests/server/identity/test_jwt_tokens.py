# SPDX-License-Identifier: Apache-2.0
"""Tokens of a real issuer on loopback: what counts, and everything that does not."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.roles import Role
from tabard_server.access.settings import ClaimGrant, IdentitySettings
from tabard_server.errors import NotServing, Unauthenticated
from tabard_server.identity.authenticator import Authenticator
from tabard_server.identity.credentials import Credentials, Session
from tabard_server.identity.jwks import FETCH_SECONDS_MIN, IssuerKeys
from tabard_server.identity.jwt_tokens import REMEMBERED_SECONDS_MAX, IssuerTokens
from tests.server.identity.issuer import AUDIENCE, Issuer, issuing

ARTISTS = ClaimGrant(claim="groups", value="artists", namespace="acme", roles=("publish",))


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    """One issuer for all; each test sets its keys."""
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    """The issuer, with a first key, and nothing asked of it yet."""
    running.rotate("one")
    running.asked.clear()
    running.extra_keys.clear()
    running.is_up = True
    return running


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def settings_for(issuer: Issuer, **changes: Any) -> IdentitySettings:
    """Return settings that take the tokens of the issuer."""
    values: dict[str, Any] = {
        "jwt_issuer": issuer.url,
        "jwt_audience": AUDIENCE,
        "jwt_leeway_seconds": 0.0,
        "jwt_grants": (ARTISTS,),
    }
    return IdentitySettings(**values | changes)


def known_by(token: str, *, settings: IdentitySettings) -> Session:
    """Return who a token says somebody is, on a server that just started."""
    return asyncio.run(Authenticator(settings).authenticate(Credentials(bearer=token)))


def test_token_becomes_an_identity(issuer: Issuer) -> None:
    """Name, tenant and roles by its claims; the keys are found by the discovery document."""
    session = known_by(issuer.token(), settings=settings_for(issuer))

    identity = session.identity
    assert (identity.name, identity.tenant, identity.proof) == ("ann", "ann", Proof.JWT)
    assert identity.grants.allow(Role.PUBLISH, namespace="acme")
    assert not identity.grants.allow(Role.GENERATE, namespace="other")
    assert session.expires_at is not None
    assert session.expires_at > time.time()
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("algorithm", ["PS256", "RS512", "ES256"])
def test_other_signatures_count(issuer: Issuer, algorithm: str) -> None:
    """Whatever only the issuer can have signed."""
    issuer.rotate("other", algorithm=algorithm)

    assert known_by(issuer.token(), settings=settings_for(issuer)).identity.name == "ann"


@pytest.mark.parametrize(
    ("changes", "reason", "why"),
    [
        ({"exp": time.time() - 60.0}, "TOKEN_EXPIRED", "expired"),
        ({"exp": None}, "JWT_INVALID", "exp"),
        ({"aud": "another"}, "JWT_INVALID", "aud"),
        ({"aud": None}, "JWT_INVALID", "aud"),
        ({"iss": "https://elsewhere.example"}, "JWT_INVALID", "iss"),
        ({"nbf": time.time() + 3_600.0}, "JWT_INVALID", "nbf"),
        ({"iat": time.time() + 3_600.0}, "JWT_INVALID", "iat"),
        ({"sub": None}, "JWT_INVALID", "sub"),
        ({"sub": " "}, "JWT_INVALID", "sub"),
        ({"sub": "x" * 300}, "JWT_INVALID", "sub"),
        ({"headers": {"kid": "unknown"}}, "JWT_INVALID", "kid"),
    ],
)
def test_wrong_claim_is_named(
    issuer: Issuer, changes: dict[str, Any], reason: str, why: str
) -> None:
    """Refused with what is wrong, and never with the token."""
    token = issuer.token(**changes)

    with pytest.raises(Unauthenticated) as refused:
        known_by(token, settings=settings_for(issuer))

    assert refused.value.reason == reason
    assert why in str(refused.value)
    assert token not in str(refused.value) + refused.value.hint


def test_unsigned_token_is_refused(issuer: Issuer) -> None:
    """`alg: none` is nobody's word."""
    with pytest.raises(Unauthenticated, match="alg"):
        known_by(issuer.unsigned(), settings=settings_for(issuer))


def test_public_key_is_no_secret(issuer: Issuer) -> None:
    """Signed by HMAC with what everybody can read: refused, even where a shared key is shown."""
    token = issuer.by_public_key()
    issuer.extra_keys.append({"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"})

    with pytest.raises(Unauthenticated, match="alg"):
        known_by(token, settings=settings_for(issuer))


def test_bent_signature_is_refused(issuer: Issuer) -> None:
    """One character of another token's signature."""
    head, body, signature = issuer.token().split(".")
    bent = f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"

    with pytest.raises(Unauthenticated, match="signature"):
        known_by(bent, settings=settings_for(issuer))


def test_rotated_key_is_fetched_once(issuer: Issuer) -> None:
    """A new key counts as soon as it signs; the old one counts no longer."""
    settings, clock = settings_for(issuer), Clock()
    before = issuer.token()

    async def walk() -> tuple[str, str]:
        tokens = IssuerTokens(
            settings,
            keys=IssuerKeys(settings, clock=clock),
            clock=time.time,
            monotonic=clock,
        )
        await tokens.session(before)
        issuer.rotate("two")
        clock.now += max(FETCH_SECONDS_MIN, REMEMBERED_SECONDS_MAX)
        after = (await tokens.session(issuer.token())).identity.name
        with pytest.raises(Unauthenticated) as refused:
            await tokens.session(before)
        return after, str(refused.value)

    after, refused = asyncio.run(walk())

    assert after == "ann"
    assert "kid" in refused
    assert issuer.asked.count("/keys") == 2


def test_invented_keys_do_not_reach_the_issuer(issuer: Issuer) -> None:
    """However many tokens name keys that there are not, it is asked once in a while."""
    settings = settings_for(issuer)

    async def walk() -> None:
        authenticator = Authenticator(settings)
        for number in range(20):
            token = issuer.token(headers={"kid": f"invented-{number}"})
            with pytest.raises(Unauthenticated):
                await authenticator.authenticate(Credentials(bearer=token))

    asyncio.run(walk())

    assert issuer.asked.count("/keys") == 1


def test_silent_issuer_is_unavailable_then_forgiven(issuer: Issuer) -> None:
    """Without keys nobody can be known: try again. With older ones, they count."""
    settings, clock = settings_for(issuer), Clock()
    issuer.is_up = False

    async def walk() -> tuple[NotServing, Identity]:
        keys = IssuerKeys(settings, clock=clock)
        tokens = IssuerTokens(settings, keys=keys, clock=time.time, monotonic=clock)
        with pytest.raises(NotServing) as refused:
            await tokens.session(issuer.token())
        issuer.is_up = True
        clock.now += FETCH_SECONDS_MIN
        await tokens.session(issuer.token())
        issuer.is_up = False
        clock.now += settings.jwt_keys_seconds_max
        return refused.value, (await tokens.session(issuer.token())).identity

    refused, later = asyncio.run(walk())

    assert (refused.reason, refused.retry_seconds) == ("JWKS_UNAVAILABLE", FETCH_SECONDS_MIN)
    assert later.name == "ann"


def test_tenant_claim_must_be_there(issuer: Issuer) -> None:
    """Where a claim says whose share somebody uses, who has none is not let in on their own."""
    settings = settings_for(issuer, jwt_tenant_claim="org.name")

    assert (
        known_by(issuer.token(org={"name": "studio"}), settings=settings).identity.tenant
        == "studio"
    )
    with pytest.raises(Unauthenticated, match=r"org\.name"):
        known_by(issuer.token(), settings=settings)


def test_unnamed_groups_give_nothing(issuer: Issuer) -> None:
    """Who is known to the issuer and named by no rule is known here, and may do nothing."""
    session = known_by(issuer.token(groups=["accounts"]), settings=settings_for(issuer))

    assert dict(session.identity.grants.by_namespace) == {}
