# SPDX-License-Identifier: Apache-2.0
"""Roles by namespace: what somebody may do where. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tabard_registry.errors import InvalidField
from tabard_registry.refs.names import check_namespace

ANY_NAMESPACE = "*"
"""Where a grant names this, it counts in every namespace, and beside all namespaces."""
NAMESPACES_MAX = 64
"""Most namespaces that one identity has roles in."""


class Role(StrEnum):
    """What somebody may do in a namespace."""

    GENERATE = "generate"
    """See what is there, and wear it."""
    PUBLISH = "publish"
    """Publish releases and recipes, sign and edit them."""
    PROMOTE = "promote"
    """Move channels, forward and back."""
    REVIEW = "review"
    """Judge releases."""
    OPERATE = "operate"
    """Withdraw releases and lift it; with `*` also look after the server."""
    ADMIN = "admin"
    """Everything, and who may do it: tokens, keys, policies."""


_IMPLIED: Mapping[Role, frozenset[Role]] = {
    role: frozenset(Role) if role is Role.ADMIN else frozenset({role, Role.GENERATE})
    for role in Role
}


@dataclass(frozen=True, slots=True)
class Grants:
    """Roles by namespace, `*` for all. Whoever has any role somewhere may look and generate there.

    Attributes:
        by_namespace: The roles that are said, not those that follow from them.

    Raises:
        InvalidField: A namespace has no roles, or is none.
    """

    by_namespace: Mapping[str, frozenset[Role]]

    def __post_init__(self) -> None:
        if len(self.by_namespace) > NAMESPACES_MAX:
            raise InvalidField(
                f"roles in {len(self.by_namespace)} namespaces; {NAMESPACES_MAX} are the most",
                reason="FIELD_TOO_LONG",
                hint="Give the roles in all namespaces, `*`, or make two tokens.",
            )
        for namespace, roles in self.by_namespace.items():
            if namespace != ANY_NAMESPACE:
                check_namespace(namespace)
            if not roles:
                raise InvalidField(
                    f"no role in {namespace}",
                    reason="FIELD_REQUIRED",
                    hint=f"Say one of: {', '.join(Role)}.",
                )
        object.__setattr__(self, "by_namespace", MappingProxyType(dict(self.by_namespace)))

    def roles_in(self, namespace: str) -> frozenset[Role]:
        """Return all roles in a namespace, those that follow from others too.

        `*` as the namespace asks for what is granted everywhere.
        """
        said = self.by_namespace.get(namespace, frozenset()) | self.by_namespace.get(
            ANY_NAMESPACE, frozenset()
        )
        return frozenset().union(*(_IMPLIED[role] for role in said))

    def allow(self, role: Role, *, namespace: str) -> bool:
        """Say whether a role is held in a namespace, or everywhere where that is `*`."""
        # Asked by every call, so no set is built for it.
        held = (self.by_namespace.get(namespace, ()), self.by_namespace.get(ANY_NAMESPACE, ()))
        return any(role in _IMPLIED[one] for said in held for one in said)

    def allow_somewhere(self, role: Role) -> bool:
        """Say whether a role is held in any namespace."""
        return any(role in _IMPLIED[one] for said in self.by_namespace.values() for one in said)

    def cover(self, other: Grants) -> bool:
        """Say whether nobody with these would gain by having the others as well."""
        return all(
            other.roles_in(namespace) <= self.roles_in(namespace)
            for namespace in other.by_namespace
        )

    def to_json(self) -> dict[str, list[str]]:
        """Write them, namespaces and roles in order."""
        return {
            namespace: sorted(self.by_namespace[namespace])
            for namespace in sorted(self.by_namespace)
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Iterable[Any]]) -> Grants:
        """Read what `to_json` wrote.

        Raises:
            InvalidField: A role is unknown, or a namespace is none.
        """
        return cls({space: frozenset(map(role_of, roles)) for space, roles in value.items()})


EVERYTHING = Grants({ANY_NAMESPACE: frozenset({Role.ADMIN})})
"""What everybody may where nobody is asked who they are."""


def role_of(text: object) -> Role:
    """Read the name of a role.

    Raises:
        InvalidField: There is no such role.
    """
    try:
        return Role(str(text))
    except ValueError:
        raise InvalidField(
            f"there is no role {str(text)[:40]!r}",
            reason="FIELD_INVALID",
            hint=f"Roles are {', '.join(Role)}.",
        ) from None
