# SPDX-License-Identifier: Apache-2.0
"""Whose certificate it is. Real ones are in tests/server/access/test_certificate_files.py."""

import pytest

from tabard_registry.identity.identity import Proof
from tabard_registry.identity.roles import Role
from tabard_server.access.settings import CertificateGrant
from tabard_server.errors import Unauthenticated
from tabard_server.identity.certificates import session_by_certificate

RULES = (
    CertificateGrant(certificate="dns:a.example", namespace="acme", roles=("generate",)),
    CertificateGrant(certificate="dns:*", namespace="beta", roles=("review",), tenant="others"),
)


def test_roles_are_those_of_all_rules() -> None:
    """The first rule that knows a name says who it is; every one gives its roles."""
    session = session_by_certificate(["cn:x", "dns:a.example"], rules=RULES)

    identity = session.identity
    assert (identity.name, identity.tenant, identity.proof) == (
        "a.example",
        "a.example",
        Proof.CERTIFICATE,
    )
    assert identity.grants.allow(Role.REVIEW, namespace="beta")
    assert identity.grants.allow(Role.GENERATE, namespace="acme")
    assert session.expires_at is None


def test_unnamed_certificate_is_told_its_names() -> None:
    """So that whoever runs the server knows what to write."""
    with pytest.raises(Unauthenticated, match="email:a@b") as refused:
        session_by_certificate(["cn:x", "email:a@b"], rules=RULES)

    assert refused.value.reason == "CERTIFICATE_UNKNOWN"
