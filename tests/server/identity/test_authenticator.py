# SPDX-License-Identifier: Apache-2.0
"""The one place where what a call shows becomes an identity."""

import asyncio

import pytest

from tabard_registry import Author, Registry
from tabard_registry.identity.identity import ANYBODY
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.access.settings import CertificateGrant, IdentitySettings
from tabard_server.errors import NotServing, ServerError, Unauthenticated
from tabard_server.identity.authenticator import Authenticator
from tabard_server.identity.credentials import Credentials, Session
from tests.registry.fakes import MemoryStore

RULES = (CertificateGrant(certificate="cn:ann", namespace="acme", roles=("generate",)),)


def authenticate(
    shown: Credentials, settings: IdentitySettings, *, registry: Registry | None = None
) -> Session:
    """Ask who shows this."""
    authenticator = Authenticator(settings)
    if registry is not None:
        authenticator.open(registry)
    return asyncio.run(authenticator.authenticate(shown))


def test_nobody_is_asked_unless_switched_on() -> None:
    """Whatever is shown then is not looked at: everybody is anybody."""
    for shown in (Credentials(), Credentials(bearer="x"), Credentials(certificate=("cn:ann",))):
        session = authenticate(shown, IdentitySettings())

        assert session.identity is ANYBODY


def test_wrong_token_is_not_made_good_by_a_certificate() -> None:
    """What is shown must count; nothing else is tried in its stead."""
    settings = IdentitySettings(tokens=True, certificate_grants=RULES)
    registry = Registry.open(MemoryStore())
    shown = Credentials(bearer="tabard_x", certificate=("cn:ann",))

    with pytest.raises(Unauthenticated) as refused:
        authenticate(shown, settings, registry=registry)

    assert refused.value.reason == "TOKEN_MALFORMED"
    by_name = Credentials(certificate=("cn:ann",))
    assert authenticate(by_name, settings, registry=registry).identity.name == "ann"
    registry.close()


@pytest.mark.parametrize(
    ("settings", "is_open", "expected"),
    [
        (IdentitySettings(tokens=True), True, None),
        (IdentitySettings(tokens=True), False, NotServing),
        (IdentitySettings(certificate_grants=RULES), True, Unauthenticated),
    ],
)
def test_tokens_count_where_they_are_taken(
    settings: IdentitySettings, is_open: bool, expected: type[ServerError] | None
) -> None:
    """Not before the registry is open, and not where they are not switched on."""
    registry = Registry.open(MemoryStore())
    made = registry.create_token("ann", grants=EVERYTHING, author=Author(actor="root"))
    shown = Credentials(bearer=made.secret)

    if expected is None:
        session = authenticate(shown, settings, registry=registry)
        assert session.identity.token_id == made.token.id
    else:
        with pytest.raises(expected):
            authenticate(shown, settings, registry=registry if is_open else None)
    registry.close()
