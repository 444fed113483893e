# SPDX-License-Identifier: Apache-2.0
"""The verbs of reviewing: what a promotion lacks."""

from __future__ import annotations

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.calls.call import Call, Caller
from tabard.calls.identity import read_gates
from tabard.convert import same_fields
from tabard.health.review import MissingForGate, PolicyExplanation
from tabard.v1 import review_service_pb2 as pb


def explain_policy(
    caller: Caller, ref: str, *, channel: str = DEFAULT_CHANNEL
) -> Call[PolicyExplanation]:
    """Say what a release lacks before a channel may point to it, and who can give it.

    A rollback lacks nothing.

    Raises:
        NotFound: The ref names nothing.
    """
    del caller
    request = pb.ExplainPolicyRequest(ref=ref, channel=channel)
    return Call(request=request, read=_explanation)


def _explanation(message: pb.ExplainPolicyResponse) -> PolicyExplanation:
    return same_fields(
        PolicyExplanation,
        message,
        gates=read_gates(message.gates),
        missing=tuple(same_fields(MissingForGate, one) for one in message.missing),
    )
