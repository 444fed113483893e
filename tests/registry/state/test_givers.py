# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from tabard_registry.errors import PreconditionFailed
from tabard_registry.identity.roles import Grants, Role
from tabard_registry.identity.tokens import Token, new_token
from tabard_registry.release.gates import Gate
from tabard_registry.state.gates import Missing
from tabard_registry.state.givers import givers, refuse_too_few

NOW = "2030-01-01T00:00:00.000000Z"
MISSING = Missing(what="reviews", role=Role.REVIEW, how="review it", overridable=False)


def token(name: str, *roles: Role, namespace: str = "acme") -> Token:
    """A token."""
    grants = Grants({namespace: frozenset(roles)})
    made = new_token("a" * 8, name=name, grants=grants, created_at=NOW, created_by="root")
    return made.token


TOKENS = (
    token("ann", Role.PUBLISH),
    token("bob", Role.REVIEW),
    token("cat", Role.REVIEW, Role.PUBLISH),
    token("dan", Role.REVIEW, namespace="beta"),
    token("eve", Role.ADMIN, namespace="*"),
    replace(token("old", Role.REVIEW), expires_at=NOW),
    token("gone", Role.REVIEW).as_revoked("left", places=()),
)


def test_givers_have_the_role_and_may() -> None:
    """Live tokens with the role in the namespace; not the author, or those alone that are named."""
    but, only = replace(MISSING, but=("bob",)), replace(MISSING, only=("bob", "dan"))

    found = [givers(one, TOKENS, namespace="acme", at=NOW) for one in (MISSING, but, only)]

    assert found == [("bob", "cat", "eve"), ("cat", "eve"), ("bob",)]


@pytest.mark.parametrize(
    ("names", "reviews", "is_met"),
    [
        ("ann bob cat eve", 3, True),
        ("ann bob cat eve", 4, False),
        # Whoever publishes here reviews as well, and never their own.
        ("bob cat", 1, True),
        ("cat", 1, False),
        ("eve", 1, False),
        # Nobody publishes by a token: it was done at the registry itself.
        ("bob", 1, True),
        ("old gone dan", 1, False),
        ("", 1, False),
    ],
)
def test_more_reviews_than_reviewers(names: str, reviews: int, is_met: bool) -> None:
    """The release that is easiest to review is counted for."""
    known = [one for one in TOKENS if one.name in names.split()]
    gates = {"beta": Gate(require_success=True), "stable": Gate(reviews=reviews)}

    if is_met:
        refuse_too_few(known, gates, namespace="acme", at=NOW)
        return
    with pytest.raises(PreconditionFailed, match="stable would ask for") as refused:
        refuse_too_few(known, gates, namespace="acme", at=NOW)
    assert refused.value.reason == "POLICY_UNSATISFIABLE"
    assert "--role review" in refused.value.hint
