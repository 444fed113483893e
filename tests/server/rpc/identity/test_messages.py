# SPDX-License-Identifier: Apache-2.0
"""Grants, tokens and policies as messages, and back."""

from datetime import UTC, datetime

import pytest

from tabard.v1 import identity_service_pb2 as pb
from tabard_registry.identity.roles import Grants, Role
from tabard_registry.release.gates import Gate
from tabard_server.errors import InvalidRequest
from tabard_server.rpc.identity.messages import (
    read_expiry,
    read_gates,
    read_grants,
    write_gates,
    write_grants,
)
from tabard_server.rpc.names import names_of

GRANTS = Grants({"acme": frozenset({Role.PUBLISH, Role.PROMOTE}), "*": frozenset({Role.GENERATE})})


def test_grants_come_back_as_they_were() -> None:
    """Every role has its member, and several in a namespace are several grants."""
    assert read_grants(write_grants(GRANTS)) == GRANTS
    assert set(names_of(pb.Role.DESCRIPTOR)) == set(Role)


@pytest.mark.parametrize(("role", "reason"), [(0, "FIELD_REQUIRED"), (99, "FIELD_INVALID")])
def test_unknown_role_is_refused(role: int, reason: str) -> None:
    """A role of a newer client is none here, and never another."""
    grant = pb.Grant(namespace="acme")
    grant.MergeFromString(bytes([2 << 3, role]))

    with pytest.raises(InvalidRequest) as refused:
        read_grants([grant])

    assert (refused.value.reason, refused.value.violations[0].field) == (reason, "grants[0].role")


def test_expiry_is_a_time_with_its_offset() -> None:
    """Silence is none; a time that could be anywhere on earth is refused."""
    assert read_expiry("") is None
    assert read_expiry("2030-01-01T01:00:00+01:00") == datetime(2030, 1, 1, tzinfo=UTC)
    for text in ("tomorrow", "2030-01-01T00:00:00", "1893456000"):
        with pytest.raises(InvalidRequest):
            read_expiry(text)


def test_gates_come_back_as_they_were() -> None:
    """With bounds and without; one that asks for nothing is taken away."""
    gates = {
        "stable": Gate(require_success=True, bounds={"style_min": 0.7, "broken_to_fail": 3}),
        "beta": Gate(promote_on_success=True),
    }

    assert read_gates(write_gates(gates)) == gates
    assert read_gates([pb.ChannelGate(pattern="beta")]) == {"beta": None}


def test_bound_is_said_once() -> None:
    """Nobody knows which of two is meant."""
    bounds = [pb.GateBound(name="style_min", value=one) for one in (0.5, 0.7)]
    gate = pb.ChannelGate(pattern="stable", require_success=True, bounds=bounds)

    with pytest.raises(InvalidRequest, match="said twice"):
        read_gates([gate])
