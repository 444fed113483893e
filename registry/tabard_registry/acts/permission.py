# SPDX-License-Identifier: Apache-2.0
"""Who may do what: asked again where an act enters the log, whatever a door has asked before.

An author whom nobody checks may do everything, unless the namespace wants authors who were.
"""

from __future__ import annotations

from collections.abc import Mapping

from tabard_registry.errors import Forbidden, PreconditionFailed
from tabard_registry.identity.roles import ANY_NAMESPACE, Grants, Role
from tabard_registry.log.records import CANARY, TOKEN, Action
from tabard_registry.release.manifest import Member
from tabard_registry.state.fold import unproven_in
from tabard_registry.state.state import State

ROLES: Mapping[str, Role] = {
    "publish": Role.PUBLISH,
    "edit": Role.PUBLISH,
    "sign": Role.PUBLISH,
    "promote": Role.PROMOTE,
    "rollback": Role.PROMOTE,
    "yank": Role.OPERATE,
    "unyank": Role.OPERATE,
    "quarantine": Role.OPERATE,
    "lift": Role.OPERATE,
    "purge": Role.OPERATE,
    "evidence": Role.PUBLISH,
    "grid": Role.PUBLISH,
    "review": Role.REVIEW,
    "vote": Role.REVIEW,
    CANARY: Role.PROMOTE,
    "key": Role.ADMIN,
    "policy": Role.ADMIN,
    TOKEN: Role.ADMIN,
    "gc_intent": Role.OPERATE,
    "gc_done": Role.OPERATE,
}
"""The role that each act needs in its namespace; a recipe needs `generate` in its members'."""


def check_permitted(state: State, action: Action, *, grants: Grants) -> None:
    """Refuse an act that its author may not do, before it is written.

    Raises:
        Forbidden: The author has not the role (ROLE_MISSING).
        PreconditionFailed: The namespace wants authors who have shown who they are, and this one
            has not (IDENTITY_REQUIRED).
    """
    for namespace in _namespaces_of(action):
        # Who may review may also complete the evidence that the review is of.
        is_reviewer = grants.allow(Role.REVIEW, namespace=namespace)
        if not (action.type == "evidence" and is_reviewer):
            refuse_role(ROLES[action.type], namespace=namespace, grants=grants)
    if action.type == "publish":
        for member in map(Member.from_json, action.summary["members"]):
            refuse_role(Role.GENERATE, namespace=member.adapter.namespace, grants=grants)
    unproven = unproven_in(state.policies, action)
    if unproven:
        raise PreconditionFailed(
            unproven,
            reason="IDENTITY_REQUIRED",
            hint=_way_in(action),
        )


def _way_in(action: Action) -> str:
    """Say how an author whom nobody checked gets an act done all the same."""
    if action.type != "key":
        return "Act through a server that asks who you are, and show it your token."
    # No server takes keys.
    policy = f"tabard policy set {action.adapter}"
    return (
        f"Keys are kept at the registry itself. Let an admin say `{policy} --no-require-identity` "
        f"at a server, repeat this, and say `{policy} --require-identity` again."
    )


def refuse_role(role: Role, *, namespace: str, grants: Grants) -> None:
    """Refuse who has not a role in a namespace.

    Raises:
        Forbidden: It is so.
    """
    if not grants.allow(role, namespace=namespace):
        where = "in all namespaces" if namespace == ANY_NAMESPACE else f"in {namespace}"
        raise Forbidden(
            f"this needs the role {role} {where}",
            reason="ROLE_MISSING",
            hint="Ask an admin for a token with it: "
            f"`tabard token create NAME --role {role} --namespace …`.",
        )


def _namespaces_of(action: Action) -> list[str]:
    if action.type == TOKEN:
        return sorted(action.summary["grants"])
    return [action.adapter.partition("/")[0] or ANY_NAMESPACE]
