# SPDX-License-Identifier: Apache-2.0
"""Which role every method needs, and in which namespaces: one table, and a test proves it total.

In: an identity and a request. Out: nothing, or a refusal, before any servicer runs. It looks at
nothing but these two, so it says the same of a namespace that exists, is private, or is none.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tabard.v1 import identity_service_pb2
from tabard_registry import AdapterName, AdapterRef, Forbidden
from tabard_registry.acts.permission import refuse_role
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import ANY_NAMESPACE, Role
from tabard_registry.refs.names import check_namespace
from tabard_registry.state.judging import place_of
from tabard_server.errors import invalid

Namespaces = Callable[[Any], Iterable[str]]
"""Reads out of a request in which namespaces a role is needed; empty: in any one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A role, and where.

    Attributes:
        role: The role.
        namespaces: Reads where from the request; None: in any one.
        other_role: One that will do as well, or None.
    """

    role: Role
    namespaces: Namespaces | None = None
    other_role: Role | None = None

    def check(self, identity: Identity, request: Any) -> None:
        """Refuse an identity that lacks it.

        Raises:
            Forbidden: It does.
            InvalidName, InvalidRequest: The request does not say where.
        """
        found = tuple(self.namespaces(request)) if self.namespaces is not None else ()
        for namespace in found:
            if self.other_role and identity.grants.allow(self.other_role, namespace=namespace):
                continue
            refuse_role(self.role, namespace=namespace, grants=identity.grants)
        if not found and not identity.grants.allow_somewhere(self.role):
            raise Forbidden(
                f"this needs the role {self.role} in some namespace",
                reason="ROLE_MISSING",
                hint="Ask an admin for a token with it.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a method asks of its callers.

    Attributes:
        needs: Every one of these; empty: that they are known.
        is_open: Whether nobody is asked who they are.
        first: The field that the first message of a stream must have, and that the needs are read
            from wherever it comes; empty: they are the same for every message.
    """

    needs: tuple[Need, ...] = ()
    is_open: bool = False
    first: str = ""

    def check(self, identity: Identity, request: Any) -> None:
        """Refuse an identity that may not send this. Raises as `Need.check`."""
        for need in self.needs:
            need.check(identity, request)

    def check_part(self, identity: Identity, part: Any, *, is_first: bool) -> None:
        """Refuse a message of a stream.

        Raises:
            InvalidRequest: It is the first, and does not say what it is about.
            Forbidden: The identity may not send it.
        """
        if not self.first:
            if is_first:
                self.check(identity, part)
        elif part.HasField(self.first):
            self.check(identity, part)
        elif is_first:
            raise invalid(
                self.first,
                f"the first message has no {self.first}",
                reason="UPLOAD_BROKEN",
                hint=f"send the {self.first} first, then the files",
            )


def _in_refs(*fields: str) -> Namespaces:
    return lambda request: [
        AdapterRef.parse(getattr(request, field)).adapter.namespace for field in fields
    ]


def _in_ref_and_against(request: Any) -> Iterable[str]:
    refs = [request.ref, *([request.against] if request.against else [])]
    return [AdapterRef.parse(ref).adapter.namespace for ref in refs]


def _in_adapter(request: Any) -> Iterable[str]:
    return (AdapterName.parse(request.adapter).namespace,)


def _in_adapter_if_said(request: Any) -> Iterable[str]:
    return _in_adapter(request) if request.adapter else ()


def _in_draft(request: Any) -> Iterable[str]:
    return _in_adapter(request.draft)


def _in_header(request: Any) -> Iterable[str]:
    return (AdapterRef.parse(request.header.ref).adapter.namespace,)


def _in_members(request: Any) -> Iterable[str]:
    return [AdapterRef.parse(one.ref).adapter.namespace for one in request.members]


def _in_namespace(request: Any) -> Iterable[str]:
    return (check_namespace(request.namespace),)


def _in_place(request: Any) -> Iterable[str]:
    return (place_of(request.place).partition("/")[0],)


def _in_place_if_said(request: Any) -> Iterable[str]:
    return _in_place(request) if request.place else ()


def _in_grants(request: identity_service_pb2.CreateTokenRequest) -> Iterable[str]:
    if not request.grants:
        raise invalid(
            "grants", "the token may do nothing", reason="FIELD_REQUIRED", hint="say a role"
        )
    return [
        one.namespace if one.namespace == ANY_NAMESPACE else check_namespace(one.namespace)
        for one in request.grants
    ]


def _everywhere(_request: Any) -> Iterable[str]:
    return (ANY_NAMESPACE,)


def _rule(role: Role, namespaces: Namespaces | None = None) -> Rule:
    return Rule(needs=(Need(role=role, namespaces=namespaces),))


_OPEN = Rule(is_open=True)
_KNOWN = Rule()
_BY_REF = _in_refs("ref")
_LOOK = _rule(Role.GENERATE, _BY_REF)
_LOOK_AROUND = _rule(Role.GENERATE, _in_adapter_if_said)
_WITHDRAW = _rule(Role.OPERATE, _BY_REF)
_LOOK_AFTER = _rule(Role.OPERATE, _everywhere)
_EDIT = _rule(Role.PUBLISH, _BY_REF)
_JUDGE = _rule(Role.REVIEW, _BY_REF)
_COMPLETE = Rule(needs=(Need(role=Role.PUBLISH, namespaces=_BY_REF, other_role=Role.REVIEW),))

_JOBS = "/tabard.v1.JobService"
_EVIDENCE = "/tabard.v1.EvidenceService"
_REGISTRY = "/tabard.v1.RegistryService"
_OPERATIONS = "/tabard.v1.OperationsService"
_IDENTITY = "/tabard.v1.IdentityService"
_REVIEW = "/tabard.v1.ReviewService"
_CANARY = "/tabard.v1.CanaryService"
_HEALTH = "/grpc.health.v1.Health"

RULES: Mapping[str, Rule] = {
    # What an image wears is known once it is resolved: admission asks for each namespace of it.
    "/tabard.v1.GenerationService/Generate": _rule(Role.GENERATE),
    # Whose job it is, and what it wears, is known once it is found: that is asked for then.
    f"{_JOBS}/GetJob": _rule(Role.GENERATE),
    f"{_JOBS}/WatchJob": _rule(Role.GENERATE),
    f"{_JOBS}/ListJobs": _rule(Role.GENERATE),
    f"{_JOBS}/CancelJob": _rule(Role.GENERATE),
    f"{_JOBS}/RetryJob": _rule(Role.GENERATE),
    f"{_JOBS}/GetJobImage": _rule(Role.GENERATE),
    "/tabard.v1.EvaluationService/Evaluate": Rule(
        needs=(
            Need(role=Role.GENERATE, namespaces=_in_ref_and_against),
            # The report is filed beside the release: it would be refused when all is drawn.
            Need(role=Role.PUBLISH, namespaces=_BY_REF, other_role=Role.REVIEW),
        )
    ),
    f"{_EVIDENCE}/ListEvidence": _LOOK,
    f"{_EVIDENCE}/GetEvidence": _LOOK,
    f"{_EVIDENCE}/GetPicture": _LOOK,
    f"{_EVIDENCE}/EditEvidence": _COMPLETE,
    f"{_EVIDENCE}/FileReview": _COMPLETE,
    f"{_CANARY}/StartCanary": _rule(Role.PROMOTE, _BY_REF),
    f"{_CANARY}/GetCanary": _LOOK,
    f"{_CANARY}/ListCanaries": _LOOK_AROUND,
    f"{_CANARY}/StopCanary": _rule(Role.PROMOTE, _BY_REF),
    # Who drew it is known once the picture is found: that is asked for then.
    f"{_CANARY}/ReportImage": _rule(Role.GENERATE),
    f"{_EVIDENCE}/LookupPicture": _rule(Role.GENERATE),
    f"{_EVIDENCE}/PublishReferences": Rule(
        needs=(Need(role=Role.PUBLISH, namespaces=_in_header, other_role=Role.REVIEW),),
        first="header",
    ),
    f"{_EVIDENCE}/PutGrid": _rule(Role.PUBLISH, _in_place),
    f"{_EVIDENCE}/GetGrid": _rule(Role.GENERATE, _in_place_if_said),
    f"{_EVIDENCE}/ListGrids": _rule(Role.GENERATE, _in_place_if_said),
    f"{_OPERATIONS}/GetStatus": _KNOWN,
    f"{_OPERATIONS}/Verify": _LOOK_AFTER,
    f"{_OPERATIONS}/ListReplicas": _LOOK_AFTER,
    f"{_OPERATIONS}/Drain": _LOOK_AFTER,
    f"{_OPERATIONS}/Warm": _LOOK_AFTER,
    f"{_REGISTRY}/Rollback": _rule(Role.PROMOTE, _in_adapter),
    f"{_REGISTRY}/Promote": _rule(Role.PROMOTE, _BY_REF),
    f"{_REGISTRY}/Yank": _WITHDRAW,
    f"{_REGISTRY}/Unyank": _WITHDRAW,
    f"{_REGISTRY}/Quarantine": _WITHDRAW,
    f"{_REGISTRY}/Lift": _WITHDRAW,
    f"{_REGISTRY}/Purge": _WITHDRAW,
    f"{_REGISTRY}/PublishRecipe": Rule(
        needs=(
            Need(role=Role.PUBLISH, namespaces=_in_draft),
            Need(role=Role.GENERATE, namespaces=_in_members),
        )
    ),
    f"{_REGISTRY}/Sign": _EDIT,
    f"{_REGISTRY}/Edit": _EDIT,
    f"{_REGISTRY}/Publish": Rule(
        needs=(Need(role=Role.PUBLISH, namespaces=_in_draft),), first="draft"
    ),
    f"{_REGISTRY}/Check": _rule(Role.PUBLISH),
    f"{_REGISTRY}/Fetch": _LOOK,
    f"{_REGISTRY}/GetAdapter": _rule(Role.GENERATE, _in_adapter),
    f"{_REGISTRY}/ListAdapters": _rule(Role.GENERATE),
    f"{_REGISTRY}/ListReleases": _rule(Role.GENERATE, _in_adapter),
    f"{_REGISTRY}/GetManifest": _LOOK,
    f"{_REGISTRY}/Diff": _rule(Role.GENERATE, _in_refs("ref", "other_ref")),
    f"{_REGISTRY}/GetDependents": _LOOK,
    f"{_REGISTRY}/Search": _rule(Role.GENERATE),
    f"{_REGISTRY}/ServedAt": _LOOK_AROUND,
    f"{_REGISTRY}/History": _LOOK_AROUND,
    f"{_REGISTRY}/Resolve": _LOOK,
    f"{_REGISTRY}/Watch": _rule(Role.GENERATE),
    f"{_IDENTITY}/WhoAmI": _KNOWN,
    f"{_IDENTITY}/CreateToken": _rule(Role.ADMIN, _in_grants),
    f"{_IDENTITY}/ListTokens": _rule(Role.ADMIN),
    f"{_IDENTITY}/RevokeToken": _rule(Role.ADMIN),
    f"{_IDENTITY}/GetPolicy": _rule(Role.GENERATE, _in_namespace),
    f"{_IDENTITY}/SetPolicy": _rule(Role.ADMIN, _in_namespace),
    f"{_REVIEW}/ExplainPolicy": _LOOK,
    f"{_REVIEW}/Review": _JUDGE,
    f"{_REVIEW}/ListReviews": _LOOK,
    f"{_REVIEW}/NextPair": _JUDGE,
    f"{_REVIEW}/GetPairPicture": _JUDGE,
    f"{_REVIEW}/Vote": _JUDGE,
    f"{_HEALTH}/Check": _OPEN,
    f"{_HEALTH}/List": _OPEN,
    f"{_HEALTH}/Watch": _OPEN,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": _OPEN,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _OPEN,
}
"""What every method asks, by its path."""
