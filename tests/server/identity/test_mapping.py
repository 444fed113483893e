# SPDX-License-Identifier: Apache-2.0
"""Rules of the settings: what is named gives roles, and nothing else does."""

from typing import Any

import pytest

from tabard_registry.identity.roles import Grants, Role
from tabard_server.access.settings import CertificateGrant, ClaimGrant
from tabard_server.identity.mapping import claim_of, grants_by_claims, grants_by_names, rule_of

RULES = (
    ClaimGrant(claim="groups", value="artists", namespace="acme", roles=("generate",)),
    ClaimGrant(claim="groups", value="leads", namespace="acme", roles=("promote", "review")),
    ClaimGrant(claim="realm.roles", value="ops", namespace="*", roles=("operate",)),
)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"groups": ["artists"]}, {"acme": {Role.GENERATE}}),
        ({"groups": "artists"}, {"acme": {Role.GENERATE}}),
        (
            {"groups": ["artists", "leads"], "realm": {"roles": ["ops"]}},
            {"acme": {Role.GENERATE, Role.PROMOTE, Role.REVIEW}, "*": {Role.OPERATE}},
        ),
        ({"realm.roles": ["ops"]}, {"*": {Role.OPERATE}}),
        ({"groups": ["Artists", "artists2"]}, {}),
        ({"groups": {"artists": True}}, {}),
        ({"groups": [["artists"]]}, {}),
        ({"groups": None}, {}),
        ({"realm": "ops"}, {}),
        ({}, {}),
    ],
)
def test_claims_give_what_rules_say(claims: dict[str, Any], expected: dict[str, set[Role]]) -> None:
    """Equal texts, alone or in a list; a claim of another form is no match."""
    assert grants_by_claims(claims, rules=RULES) == Grants(
        {space: frozenset(roles) for space, roles in expected.items()}
    )


def test_whole_name_of_a_claim_comes_first() -> None:
    """A claim may have dots in its name, as a URL has."""
    claims = {"https://a.example/roles": "x", "a": {"b": "y"}}

    assert claim_of(claims, "https://a.example/roles") == "x"
    assert claim_of(claims, "a.b") == "y"
    assert claim_of(claims, "a.c") is None


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["cn:batch-7"], ("batch-7", "batch")),
        (["dns:batch-7"], None),
        (["cn:batch-"], None),
        (["cn:a", "uri:spiffe://x/render"], ("spiffe://x/render", "")),
        (["uri:spiffe://x/render/more"], None),
        ([], None),
    ],
)
def test_certificate_is_known_by_kind_and_name(
    names: list[str], found: tuple[str, str] | None
) -> None:
    """A common name is no DNS name; a star needs something behind it."""
    rules = (
        CertificateGrant(
            certificate="cn:batch-*", namespace="a", roles=("publish",), tenant="batch"
        ),
        CertificateGrant(certificate="uri:spiffe://x/render", namespace="b", roles=("generate",)),
    )

    assert rule_of(names, rules=rules) == found
    assert bool(grants_by_names(names, rules=rules).by_namespace) is (found is not None)
