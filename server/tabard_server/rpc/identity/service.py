# SPDX-License-Identifier: Apache-2.0
"""IdentityService: who the caller is, tokens, and what namespaces ask of their callers.

In: messages whose caller may send them, as the door has asked. Out: messages. A secret is in the
answer to who makes a token, and nowhere else.
"""

from datetime import UTC, datetime
from typing import Any

from tabard.v1 import adapter_pb2, identity_service_pb2_grpc
from tabard.v1 import identity_service_pb2 as pb
from tabard_registry import Author, Forbidden, Registry
from tabard_registry.acts.keys import policy_of
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import ANY_NAMESPACE, Grants, Role
from tabard_registry.refs.names import check_namespace
from tabard_server.publishing.author import author_of
from tabard_server.publishing.policies import Policies
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.rpc.identity.messages import (
    read_expiry,
    read_gates,
    read_grants,
    write_grants,
    write_policy,
    write_token,
)
from tabard_server.rpc.names import number_of
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.status import Context


class IdentityServicer(identity_service_pb2_grpc.IdentityServiceServicer):
    """Serves `tabard.v1.IdentityService`. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        publishing: Publishing,
        policies: Policies,
        questions: Questions,
        pages: Pages,
    ) -> None:
        """Take what can be asked and done."""
        self._registry = registry
        self._publishing = publishing
        self._policies = policies
        self._questions = questions
        self._pages = pages

    async def WhoAmI(self, request: pb.WhoAmIRequest, context: Context) -> pb.WhoAmIResponse:
        """Say who the caller is, and what they may do."""
        identity, expires_at = context.identity, context.session.expires_at
        proof: Any = number_of(adapter_pb2.Proof.DESCRIPTOR, identity.proof.value)
        return pb.WhoAmIResponse(
            name=identity.name,
            tenant=identity.tenant,
            grants=write_grants(identity.grants),
            proof=proof,
            expires_at="" if expires_at is None else _time(expires_at),
        )

    async def CreateToken(
        self, request: pb.CreateTokenRequest, context: Context
    ) -> pb.CreateTokenResponse:
        """Make a token."""
        made = await self._publishing.act(
            self._registry.create_token,
            request.name,
            tenant=_tenant(request.tenant, identity=context.identity),
            grants=read_grants(request.grants),
            expires_at=read_expiry(request.expires_at),
            author=_author(request, context),
        )
        return pb.CreateTokenResponse(token=write_token(made.token), secret=made.secret)

    async def ListTokens(
        self, request: pb.ListTokensRequest, context: Context
    ) -> pb.ListTokensResponse:
        """List the tokens that the caller could have made."""
        start: Any = self._pages.start_of(request, str, str) or ("", "")
        tokens, following = await self._questions.aside(
            self._list, request, grants=context.identity.grants, start=start
        )
        return pb.ListTokensResponse(tokens=tokens, next_page_token=following)

    async def RevokeToken(
        self, request: pb.RevokeTokenRequest, context: Context
    ) -> pb.RevokeTokenResponse:
        """Revoke a token that the caller could have made."""
        done = await self._publishing.take_back(
            self._registry.revoke_token, request.token, author=_author(request, context)
        )
        return pb.RevokeTokenResponse(token=write_token(done.subject), changed=done.changed)

    async def GetPolicy(
        self, request: pb.GetPolicyRequest, context: Context
    ) -> pb.GetPolicyResponse:
        """Say what a namespace asks for."""
        policy = policy_of(self._registry.state, check_namespace(request.namespace))
        return pb.GetPolicyResponse(policy=write_policy(policy))

    async def SetPolicy(
        self, request: pb.SetPolicyRequest, context: Context
    ) -> pb.SetPolicyResponse:
        """Change what a namespace asks for."""
        done = await self._publishing.act(
            self._policies.set,
            check_namespace(request.namespace),
            author=_author(request, context),
            require_signature=_said(request, "require_signature"),
            private=_said(request, "private"),
            require_identity=_said(request, "require_identity"),
            enforce_sampling=_said(request, "enforce_sampling"),
            channels=read_gates(request.channels),
        )
        return pb.SetPolicyResponse(policy=write_policy(done.subject), changed=done.changed)

    def _list(
        self, request: pb.ListTokensRequest, *, grants: Grants, start: tuple[str, str]
    ) -> tuple[list[pb.Token], str]:
        now = datetime.now(UTC).isoformat()
        found = [
            one
            for one in self._registry.tokens(grants=grants)
            if (one.name, one.id) > start and (request.include_ended or one.is_live(at=now))
        ]
        size = self._pages.size_of(request)
        written = (((one.name, one.id), write_token(one)) for one in found[:size])
        return self._pages.fill(request, written, is_more=len(found) > size)


def _author(request: Any, context: Context) -> Author:
    return author_of(
        request.actor,
        reason=request.reason,
        request_id=request.request_id,
        identity=context.identity,
    )


def _tenant(said: str, *, identity: Identity) -> str:
    """Return whose share a new token uses.

    Raises:
        Forbidden: It is another's, and the maker is no admin of all.
    """
    if identity.grants.allow(Role.ADMIN, namespace=ANY_NAMESPACE):
        return said
    if said and said != identity.tenant:
        raise Forbidden(
            f"{identity.name} makes tokens of the tenant {identity.tenant} only",
            reason="ROLE_MISSING",
            hint="ask an admin of all namespaces, or leave the tenant out",
        )
    return identity.tenant


def _said(request: pb.SetPolicyRequest, field: Any) -> bool | None:
    return bool(getattr(request, field)) if request.HasField(field) else None


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")
