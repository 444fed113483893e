# SPDX-License-Identifier: Apache-2.0
"""From what others vouch for to roles here: claims of a token, names in a certificate. Pure.

In: rules of the settings. Out: grants. What no rule names gives nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabard_registry.identity.roles import Grants, Role
from tabard_server.access.settings import CertificateGrant, ClaimGrant


def grants_by_claims(claims: Mapping[str, Any], *, rules: Sequence[ClaimGrant]) -> Grants:
    """Return what somebody with these claims may do."""
    return _together(
        (rule.namespace, rule.roles)
        for rule in rules
        if rule.value in _values(claim_of(claims, rule.claim))
    )


def grants_by_names(names: Sequence[str], *, rules: Sequence[CertificateGrant]) -> Grants:
    """Return what somebody with these names in a certificate may do."""
    return _together(
        (rule.namespace, rule.roles)
        for rule in rules
        if any(_is_named(rule.certificate, name) for name in names)
    )


def rule_of(names: Sequence[str], *, rules: Sequence[CertificateGrant]) -> tuple[str, str] | None:
    """Return the name that the first rule knows somebody by, and their tenant; None: nobody's."""
    for rule in rules:
        for name in names:
            if _is_named(rule.certificate, name):
                return name.partition(":")[2], rule.tenant
    return None


def claim_of(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by the way to it within others; None: it is not there."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _values(said: Any) -> tuple[str, ...]:
    if isinstance(said, str):
        return (said,)
    if isinstance(said, Sequence):
        return tuple(one for one in said if isinstance(one, str))
    return ()


def _is_named(pattern: str, name: str) -> bool:
    if pattern.endswith("*"):
        start = pattern[:-1]
        return name.startswith(start) and len(name) > len(start)
    return name == pattern


def _together(found: Iterable[tuple[str, Iterable[str]]]) -> Grants:
    roles: defaultdict[str, set[Role]] = defaultdict(set)
    for namespace, names in found:
        roles[namespace].update(map(Role, names))
    return Grants({namespace: frozenset(some) for namespace, some in roles.items()})
