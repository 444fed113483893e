# SPDX-License-Identifier: Apache-2.0
"""The verbs of identity: who one is, tokens, and what a namespace asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tabard.access.identity import (
    CreatedToken,
    Gate,
    Identity,
    Policy,
    PolicyChange,
    Token,
    TokenChange,
)
from tabard.calls.call import Call, Caller, Pages, out_of_range, pages_of
from tabard.convert import same_fields, timestamp_of
from tabard.enums import member_name, member_number
from tabard.errors import InvalidArgument
from tabard.v1 import identity_service_pb2 as pb

_REVIEWS_MAX = (1 << 32) - 1
"""What the message can hold; a server has a bound of its own."""


def whoami(caller: Caller) -> Call[Identity]:
    """Say who the caller is to this server, and what it may do.

    Raises:
        Unauthenticated: The server does not know.
    """
    del caller
    return Call(request=pb.WhoAmIRequest(), read=read_identity)


def create_token(
    caller: Caller,
    name: str,
    grants: Mapping[str, Iterable[str]],
    *,
    tenant: str = "",
    expires_at: datetime | str = "",
    reason: str = "",
) -> Call[CreatedToken]:
    """Make a token. Its secret is in the answer and is kept nowhere.

    Args:
        caller: Filled in by the client.
        name: Who the token is: the actor of what is done with it.
        grants: Roles by namespace, like `{"acme": ["publish", "promote"]}`; `*` stands for all
            namespaces. No more than the caller has.
        tenant: Whose share of the server it uses; that of its name when left out.
        expires_at: From when it is refused; an aware datetime or RFC 3339. Left out: never.
        reason: Why it is made; kept with it.

    Raises:
        PermissionDenied: The caller has not all of these roles, or may not make tokens.
        AlreadyExists: A token in use has the name.
        InvalidArgument: A role, a name or a time is none.
    """
    return Call(
        request=pb.CreateTokenRequest(
            name=name,
            tenant=tenant,
            grants=_written_grants(grants),
            expires_at=_time(expires_at),
            actor=caller.actor,
            request_id=caller.new_id(),
            reason=reason,
        ),
        read=_created,
    )


def tokens(caller: Caller, *, include_ended: bool = False) -> Pages[Token, tuple[Token, ...]]:
    """Give the tokens of the registry by name, without secrets.

    `include_ended` also gives those that expired or were revoked.

    Raises:
        PermissionDenied: The caller is admin nowhere.
    """
    del caller
    return pages_of(pb.ListTokensRequest(include_ended=include_ended), "tokens", read_token_value)


def revoke_token(caller: Caller, token: str, *, reason: str) -> Call[TokenChange]:
    """Revoke a token for good; safe to repeat.

    Every server of the registry refuses it, and ends its streams, within a few seconds.

    Args:
        caller: Filled in by the client.
        token: Its id, or the name of one in use; never its secret.
        reason: Why; kept with it.

    Raises:
        NotFound: There is no such token.
        PermissionDenied: The caller could not have made it.
    """
    return Call(
        request=pb.RevokeTokenRequest(
            token=token, reason=reason, actor=caller.actor, request_id=caller.new_id()
        ),
        read=lambda answer: same_fields(TokenChange, answer, token=read_token_value(answer.token)),
    )


def policy(caller: Caller, namespace: str) -> Call[Policy]:
    """Say what a namespace asks for."""
    del caller
    return Call(request=pb.GetPolicyRequest(namespace=namespace), read=_policy)


def set_policy(
    caller: Caller,
    namespace: str,
    *,
    require_signature: bool | None = None,
    private: bool | None = None,
    require_identity: bool | None = None,
    channels: Mapping[str, Gate | None] | None = None,
    enforce_sampling: bool | None = None,
    reason: str = "",
) -> Call[PolicyChange]:
    """Change what a namespace asks for; what is left out stays as it is. Safe to repeat.

    Args:
        caller: Filled in by the client.
        namespace: Which one.
        require_signature: Whether only signed releases are served.
        private: Whether it does not exist for those who may not generate with it.
        require_identity: Whether acts of authors whom nobody checked have no effect in it.
        channels: What promotions need, by channel or pattern like `prod-*`, each said whole; None
            takes a pattern away, and patterns not named stay.
        enforce_sampling: Whether a request outside the bounds that a release declares for its
            sampling is refused; otherwise that is the choice of its author.
        reason: Why; kept in the history.

    Raises:
        PermissionDenied: The caller is not admin there.
        InvalidArgument: Nothing is said.
        FailedPrecondition: Nobody could ever meet it.
    """
    said: dict[str, Any] = {
        "require_signature": require_signature,
        "private": private,
        "require_identity": require_identity,
        "enforce_sampling": enforce_sampling,
    }
    said = {name: value for name, value in said.items() if value is not None}
    if channels:
        said["channels"] = [_gate(pattern, one) for pattern, one in channels.items()]
    if not said:
        raise InvalidArgument(
            f"nothing is said about {namespace}",
            reason="POLICY_EMPTY",
            hint="say require_signature, private, require_identity, enforce_sampling or channels",
        )
    return Call(
        request=pb.SetPolicyRequest(
            namespace=namespace,
            reason=reason,
            actor=caller.actor,
            request_id=caller.new_id(),
            **said,
        ),
        read=lambda answer: same_fields(PolicyChange, answer, policy=_policy(answer)),
    )


def read_identity(message: pb.WhoAmIResponse) -> Identity:
    """Give the value of who a caller is."""
    return same_fields(Identity, message, grants=_read_grants(message.grants))


def read_gates(messages: Iterable[pb.ChannelGate]) -> dict[str, Gate]:
    """Give the gates of channels by pattern."""
    return {one.pattern: same_fields(Gate, one, bounds=read_bounds(one.bounds)) for one in messages}


def read_bounds(messages: Iterable[pb.GateBound]) -> dict[str, float]:
    """Give bounds by name."""
    return {one.name: one.value for one in messages}


def read_token_value(message: pb.Token) -> Token:
    """Give the value of a token without its secret."""
    return same_fields(Token, message, grants=_read_grants(message.grants))


def _created(message: pb.CreateTokenResponse) -> CreatedToken:
    return CreatedToken(token=read_token_value(message.token), secret=message.secret)


def _policy(message: Any) -> Policy:
    return same_fields(Policy, message.policy, channels=read_gates(message.policy.channels))


def _gate(pattern: str, gate: Gate | None) -> pb.ChannelGate:
    if gate is None:
        return pb.ChannelGate(pattern=pattern)
    if gate == Gate():
        raise InvalidArgument(
            f"the gate of {pattern} asks for nothing",
            reason="POLICY_EMPTY",
            hint="say what it asks for, or None to take it away",
        )
    if not 0 <= gate.reviews <= _REVIEWS_MAX:
        raise out_of_range(
            "reviews", gate.reviews, field=pb.ChannelGate.DESCRIPTOR.fields_by_name["reviews"]
        )
    return pb.ChannelGate(
        pattern=pattern,
        require_success=gate.require_success,
        reviews=gate.reviews,
        require_checks=gate.require_checks,
        bounds=[pb.GateBound(name=name, value=value) for name, value in gate.bounds.items()],
        promote_on_success=gate.promote_on_success,
    )


def _read_grants(grants: Iterable[pb.Grant]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in grants:
        role = member_name(pb.Role.DESCRIPTOR, one.role)
        found[one.namespace] = (*found.get(one.namespace, ()), role)
    return found


def _written_grants(grants: Mapping[str, Iterable[str]]) -> list[pb.Grant]:
    if isinstance(grants, str) or any(isinstance(roles, str) for roles in grants.values()):
        raise TypeError("grants are lists of roles by namespace, like {'acme': ['publish']}")
    return [
        pb.Grant(namespace=namespace, role=member_number(pb.Role.DESCRIPTOR, role, what="role"))
        for namespace, roles in grants.items()
        for role in roles
    ]


def _time(time: datetime | str) -> str:
    """Write a time as the log has it."""
    message = timestamp_of(time)
    if message is None:
        return ""
    return message.ToDatetime(tzinfo=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
