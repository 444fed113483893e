# SPDX-License-Identifier: Apache-2.0
"""Who could give what a gate asks for, as far as tokens tell; and gates that nobody meets. Pure.

In: tokens, gates. Out: names, or a refusal. Where people show who they are by other ways than
tokens, nobody here knows of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tabard_registry.errors import PreconditionFailed
from tabard_registry.identity.roles import Role
from tabard_registry.identity.tokens import Token
from tabard_registry.release.gates import Gate
from tabard_registry.state.gates import Missing


def givers(
    missing: Missing, tokens: Iterable[Token], *, namespace: str, at: str
) -> tuple[str, ...]:
    """Return who could give what is missing, by name.

    Args:
        missing: What is missing.
        tokens: Those to look at.
        namespace: That of the release.
        at: The time, as records write it.
    """
    found = _holders(tokens, missing.role, namespace=namespace, at=at)
    return tuple(sorted(filter(missing.may_come_from, found)))


def refuse_too_few(
    tokens: Iterable[Token], gates: Mapping[str, Gate], *, namespace: str, at: str
) -> None:
    """Refuse gates that ask for more reviews than there are reviewers, where all have tokens.

    Whoever publishes cannot review, so the release that is easiest to review is counted for.

    Raises:
        PreconditionFailed: It is so (POLICY_UNSATISFIABLE).
    """
    known = tuple(tokens)
    reviewers = _holders(known, Role.REVIEW, namespace=namespace, at=at)
    publishers = _holders(known, Role.PUBLISH, namespace=namespace, at=at)
    most = max((len(reviewers - {one}) for one in publishers), default=len(reviewers))
    for pattern, gate in gates.items():
        if gate.reviews > most:
            raise PreconditionFailed(
                f"{pattern} would ask for {gate.reviews} reviews, and {most} could be given: "
                f"{len(reviewers)} hold a token with the role {Role.REVIEW} in {namespace}, and "
                "nobody reviews what they published",
                reason="POLICY_UNSATISFIABLE",
                hint=f"Ask for fewer, or first give others the role: `tabard token create NAME "
                f"--role {Role.REVIEW} --namespace {namespace}`.",
            )


def _holders(tokens: Iterable[Token], role: Role, *, namespace: str, at: str) -> frozenset[str]:
    return frozenset(
        one.name
        for one in tokens
        if one.is_live(at=at) and one.grants.allow(role, namespace=namespace)
    )
