# SPDX-License-Identifier: Apache-2.0
from tabard_registry.identity.identity import ANYBODY, Proof
from tabard_registry.identity.roles import Role


def test_where_nobody_is_asked_everybody_may_do_everything() -> None:
    """A server on loopback stays as simple as it was."""
    assert ANYBODY.proof is Proof.NONE
    assert all(ANYBODY.grants.allow(role, namespace="acme") for role in Role)
    assert ANYBODY.grants.allow(Role.ADMIN, namespace="*")
