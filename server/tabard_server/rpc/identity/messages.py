# SPDX-License-Identifier: Apache-2.0
"""Grants, tokens and policies as messages, and back. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from tabard.v1 import identity_service_pb2 as pb
from tabard_registry.identity.roles import Grants, Role
from tabard_registry.identity.tokens import Token
from tabard_registry.release.bounds import Bounds
from tabard_registry.release.gates import Gate
from tabard_registry.release.keys import Policy
from tabard_server.errors import invalid
from tabard_server.rpc.names import name_of, names_of, number_of

_ROLE = pb.Role.DESCRIPTOR
_GATE_WORDS = ("require_success", "reviews", "require_checks", "promote_on_success")


def read_grants(messages: Iterable[pb.Grant]) -> Grants:
    """Read what a token may do.

    Raises:
        InvalidRequest: A role is none.
        InvalidField, InvalidName: A namespace is none, or there are too many.
    """
    roles: defaultdict[str, set[Role]] = defaultdict(set)
    for place, one in enumerate(messages):
        name = name_of(_ROLE, one.role)
        if not name:
            raise invalid(
                f"grants[{place}].role",
                f"there is no role {one.role}" if one.role else "a grant without a role",
                reason="FIELD_INVALID" if one.role else "FIELD_REQUIRED",
                hint=f"use one of: {', '.join(names_of(_ROLE))}",
            )
        roles[one.namespace].add(Role(name))
    return Grants({namespace: frozenset(some) for namespace, some in roles.items()})


def read_gates(messages: Iterable[pb.ChannelGate]) -> dict[str, Gate | None]:
    """Read what promotions shall need, by channel pattern; None: nothing any more.

    Raises:
        InvalidRequest: A pattern is said twice.
        PreconditionFailed: More reviews than a release can have (POLICY_UNSATISFIABLE).
    """
    found: dict[str, Gate | None] = {}
    for place, one in enumerate(messages):
        if one.pattern in found:
            raise invalid(
                f"channels[{place}].pattern",
                f"{one.pattern[:40]!r} is said twice",
                reason="FIELD_INVALID",
                hint="say each pattern once, with all that it asks for",
            )
        asks = {name: getattr(one, name) for name in _GATE_WORDS}
        asks["bounds"] = _read_bounds(one, field=f"channels[{place}].bounds")
        found[one.pattern] = Gate(**asks) if any(asks.values()) else None
    return found


def write_gates(gates: Mapping[str, Gate]) -> list[pb.ChannelGate]:
    """Write what promotions need, by channel pattern."""
    return [
        pb.ChannelGate(
            pattern=pattern,
            **{name: getattr(gate, name) for name in _GATE_WORDS},
            bounds=write_bounds(gate.bounds),
        )
        for pattern, gate in gates.items()
    ]


def write_bounds(bounds: Bounds) -> list[pb.GateBound]:
    """Write bounds by name."""
    return [pb.GateBound(name=name, value=value) for name, value in bounds.items()]


def _read_bounds(gate: pb.ChannelGate, *, field: str) -> dict[str, float]:
    found = {one.name: one.value for one in gate.bounds}
    if len(found) != len(gate.bounds):
        raise invalid(
            field, "a bound is said twice", reason="FIELD_INVALID", hint="say each bound once"
        )
    return found


def read_expiry(text: str) -> datetime | None:
    """Read when a token ends; None: not by itself.

    Raises:
        InvalidRequest: It cannot be read, or does not say its offset from UTC.
    """
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise invalid(
            "expires_at",
            f"{text[:40]!r} is no time as RFC 3339 writes it",
            reason="TIME_INVALID",
            hint="write it like 2027-01-31T12:00:00Z",
        )
    return time.astimezone(UTC)


def write_grants(grants: Grants) -> list[pb.Grant]:
    """Write what somebody may do, namespaces and roles in order."""
    return [
        pb.Grant(namespace=namespace, role=number_of(_ROLE, role))  # type: ignore[arg-type]
        for namespace, roles in grants.to_json().items()
        for role in roles
    ]


def write_token(token: Token) -> pb.Token:
    """Write what the registry keeps of a token, but for its hash."""
    return pb.Token(
        id=token.id,
        name=token.name,
        tenant=token.tenant,
        grants=write_grants(token.grants),
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        revoked=token.revoked,
        revoke_reason=token.revoke_reason,
    )


def write_policy(policy: Policy) -> pb.Policy:
    """Write what a namespace asks for."""
    return pb.Policy(
        namespace=policy.namespace,
        require_signature=policy.require_signature,
        private=policy.private,
        require_identity=policy.require_identity,
        enforce_sampling=policy.enforce_sampling,
        channels=write_gates(policy.channels),
    )
