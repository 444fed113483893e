# SPDX-License-Identifier: Apache-2.0
"""Tokens of the registry, by the newest snapshot."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tabard_registry import Author, Registry
from tabard_registry.identity.roles import Grants, Role
from tabard_server.errors import Unauthenticated
from tabard_server.identity.tokens import RegistryTokens
from tests.registry.fakes import MemoryStore

ROOT = Author(actor="root", reason="for a test")
GRANTS = Grants({"acme": frozenset({Role.PUBLISH})})


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty registry."""
    registry = Registry.open(MemoryStore())
    yield registry
    registry.close()


def refusal(tokens: RegistryTokens, secret: str) -> str:
    """Return why a secret does not count."""
    with pytest.raises(Unauthenticated) as refused:
        tokens.session(secret)
    assert secret not in str(refused.value) + refused.value.hint
    return refused.value.reason


def test_secret_is_its_tokens(registry: Registry) -> None:
    """Name, tenant, roles and end are those of the token."""
    ends = datetime(2999, 1, 1, tzinfo=UTC)
    made = registry.create_token(
        "ann", grants=GRANTS, author=ROOT, tenant="studio", expires_at=ends
    )

    session = RegistryTokens(registry, clock=lambda: 0.0).session(made.secret)

    identity = session.identity
    assert (identity.name, identity.tenant, identity.grants) == ("ann", "studio", GRANTS)
    assert session.expires_at == ends.timestamp()


def test_time_ends_a_token(registry: Registry) -> None:
    """To the second, by the clock that is passed in."""
    ends = datetime.now(UTC) + timedelta(days=1)
    made = registry.create_token("ann", grants=GRANTS, author=ROOT, expires_at=ends)

    before = RegistryTokens(registry, clock=lambda: ends.timestamp() - 1.0)
    after = RegistryTokens(registry, clock=ends.timestamp)

    assert before.session(made.secret).identity.name == "ann"
    assert before.ended(made.token.id) is None
    assert refusal(after, made.secret) == "TOKEN_EXPIRED"
    assert after.ended(made.token.id) is not None


def test_revocation_counts_at_once(registry: Registry) -> None:
    """As soon as it is in the snapshot; the reason is told."""
    made = registry.create_token("ann", grants=GRANTS, author=ROOT)
    tokens = RegistryTokens(registry, clock=lambda: 0.0)

    registry.revoke_token("ann", author=ROOT)

    assert refusal(tokens, made.secret) == "TOKEN_REVOKED"
    assert "for a test" in str(tokens.ended(made.token.id))


def test_same_id_with_another_secret_is_unknown(registry: Registry) -> None:
    """Whoever knows the id of a token, which is no secret, knows nothing."""
    made = registry.create_token("ann", grants=GRANTS, author=ROOT)
    head, _secret = made.secret.rsplit("_", 1)

    tokens = RegistryTokens(registry, clock=lambda: 0.0)

    assert refusal(tokens, f"{head}_{'0' * 64}") == "TOKEN_UNKNOWN"
