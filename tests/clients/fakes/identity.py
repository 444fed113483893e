# SPDX-License-Identifier: Apache-2.0
"""The identity service of the fake server: it believes every token, and every certificate."""

from __future__ import annotations

from typing import Any

from tabard.v1 import adapter_pb2, identity_service_pb2, identity_service_pb2_grpc
from tests.clients.fakes.state import FakeState, FakeStatus

pb = identity_service_pb2


class FakeIdentity(identity_service_pb2_grpc.IdentityServiceServicer):
    """Knows the tokens that it made, and what namespaces ask for."""

    def __init__(self, state: FakeState) -> None:
        self.state = state

    def WhoAmI(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        grants = [pb.Grant(namespace="acme", role=role) for role in (pb.ROLE_PUBLISH, 3)]
        names = context.auth_context().get("x509_common_name", [])
        if names:
            return pb.WhoAmIResponse(
                name=names[0].decode(), grants=grants, proof=adapter_pb2.PROOF_CERTIFICATE
            )
        if "authorization" in self.state.metadata[-1]:
            return pb.WhoAmIResponse(
                name="ann", tenant="studio", grants=grants, proof=adapter_pb2.PROOF_TOKEN
            )
        return pb.WhoAmIResponse()

    def CreateToken(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        token = pb.Token(
            id=f"{len(self.state.tokens):012x}",
            name=request.name,
            tenant=request.tenant or request.name,
            grants=request.grants,
            created_at="2030-01-01T00:00:00.000000Z",
            created_by=request.actor,
            expires_at=request.expires_at,
        )
        self.state.tokens.append(token)
        secret = f"tabard_01234567_{token.id}_{'a' * 64}"
        return pb.CreateTokenResponse(token=token, secret=secret)

    def ListTokens(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        found = [one for one in self.state.tokens if request.include_ended or not one.revoked]
        begin = int(request.page_token or 0)
        end = begin + (request.page_size or 2)
        more = str(end) if end < len(found) else ""
        return pb.ListTokensResponse(tokens=found[begin:end], next_page_token=more)

    def RevokeToken(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        for one in self.state.tokens:
            if request.token in (one.id, one.name):
                changed = not one.revoked
                if changed:
                    one.revoked, one.revoke_reason = True, request.reason
                return pb.RevokeTokenResponse(token=one, changed=changed)
        FakeStatus(5, f"there is no token {request.token}", "TOKEN_NOT_FOUND", "list").abort(
            context
        )
        raise AssertionError("abort raises")

    def GetPolicy(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        return pb.GetPolicyResponse(policy=self._policy(request.namespace))

    def SetPolicy(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        policy = self._policy(request.namespace)
        before = policy.SerializeToString()
        for word in ("require_signature", "private", "require_identity", "enforce_sampling"):
            if request.HasField(word):
                setattr(policy, word, getattr(request, word))
        named = {one.pattern for one in request.channels}
        kept = [one for one in policy.channels if one.pattern not in named]
        del policy.channels[:]
        policy.channels.extend([*kept, *filter(_asks, request.channels)])
        return pb.SetPolicyResponse(policy=policy, changed=policy.SerializeToString() != before)

    def _policy(self, namespace: str) -> pb.Policy:
        return self.state.policies.setdefault(namespace, pb.Policy(namespace=namespace))


def _asks(gate: pb.ChannelGate) -> bool:
    return gate != pb.ChannelGate(pattern=gate.pattern)
