# SPDX-License-Identifier: Apache-2.0
"""Between review messages and what the server is asked and tells. Pure."""

from typing import Any

from tabard.v1 import identity_service_pb2
from tabard.v1 import review_service_pb2 as pb
from tabard_server.publishing.policies import Explanation, Need
from tabard_server.rpc.identity.messages import write_gates
from tabard_server.rpc.names import number_of

_ROLE = identity_service_pb2.Role.DESCRIPTOR


def write_explanation(found: Explanation) -> pb.ExplainPolicyResponse:
    """Write what stands between a release and a channel."""
    return pb.ExplainPolicyResponse(
        adapter=str(found.release.adapter),
        version=str(found.release.version),
        digest=str(found.release.digest),
        channel=found.channel,
        gates=write_gates(found.gates),
        missing=[_write_need(one) for one in found.needs],
        override_suffices=found.override_suffices,
    )


def _write_need(need: Need) -> pb.MissingForGate:
    role: Any = number_of(_ROLE, need.missing.role)
    return pb.MissingForGate(
        what=need.missing.what,
        role=role,
        how=need.missing.how,
        overridable=need.missing.overridable,
        names=need.names,
        has_others=need.has_others,
    )
