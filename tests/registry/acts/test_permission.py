# SPDX-License-Identifier: Apache-2.0
"""Roles and proofs, asked for where acts enter the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tabard_registry import (
    Author,
    Forbidden,
    Grants,
    Key,
    PreconditionFailed,
    Proof,
    Registry,
    Role,
    acts,
)
from tabard_registry.acts.permission import ROLES, check_permitted
from tabard_registry.log.records import Action
from tabard_registry.state.meanings import MEANINGS
from tabard_registry.trust.signatures import new_key_pair
from tests.registry.fakes import NAME, publish, ref

Verb = Callable[[Registry, Author], object]

VERBS: dict[Role, tuple[Verb, ...]] = {
    Role.PUBLISH: (
        lambda registry, author: registry.edit(ref("1.0.0"), words={"notes": "new"}, author=author),
    ),
    Role.PROMOTE: (
        lambda registry, author: registry.promote(ref("1.0.0"), channel="stable", author=author),
    ),
    Role.OPERATE: (
        lambda registry, author: registry.yank(ref("1.0.0"), author=author),
        lambda registry, author: registry.purge(ref("1.0.0"), author=author),
    ),
    Role.ADMIN: (
        lambda registry, author: registry.set_policy("acme", private=True, author=author),
    ),
}


def author_with(*roles: Role, namespace: str = "acme", proof: Proof = Proof.TOKEN) -> Author:
    """Somebody who has roles in one namespace."""
    grants = Grants({namespace: frozenset(roles or {Role.GENERATE})})
    return Author(actor="ann", reason="why", proof=proof, grants=grants)


def test_every_act_has_its_role() -> None:
    """A new act without one breaks here, not in a registry."""
    assert ROLES.keys() == MEANINGS.keys()


@pytest.mark.parametrize("role", VERBS)
def test_act_needs_its_role(registry: Registry, tmp_path: Path, role: Role) -> None:
    """In that namespace: no other role does, and the role in another namespace does not."""
    publish(registry, "1.0.0", folder=tmp_path)
    weaker = [author_with(one) for one in Role if one not in (role, Role.ADMIN)]

    for author in (*weaker, author_with(role, namespace="guild"), author_with()):
        for verb in VERBS[role]:
            with pytest.raises(Forbidden) as caught:
                verb(registry, author)
            assert (caught.value.reason, str(role) in str(caught.value)) == ("ROLE_MISSING", True)

    assert registry.seq == 1
    for verb in VERBS[role]:
        verb(registry, author_with(role))
    assert registry.seq == 1 + len(VERBS[role])


def test_collections_need_all_namespaces(registry: Registry) -> None:
    """What belongs to no namespace is for who looks after all of them."""
    action = Action(type="gc_intent", summary={"digests": []})

    with pytest.raises(Forbidden, match="in all namespaces"):
        check_permitted(registry.state, action, grants=author_with(Role.ADMIN).grants)
    check_permitted(registry.state, action, grants=author_with(Role.OPERATE, namespace="*").grants)


def test_unchecked_author_is_refused_where_that_counts(registry: Registry, tmp_path: Path) -> None:
    """Nothing is written; with a proof it is; other namespaces take both."""
    publish(registry, "1.0.0", folder=tmp_path)
    registry.set_policy("acme", require_identity=True, author=Author(actor="owner"))
    registry.set_policy("guild", private=True, author=Author(actor="owner"))

    for verbs in VERBS.values():
        with pytest.raises(PreconditionFailed) as caught:
            verbs[0](registry, Author(actor="ann", reason="why"))
        assert caught.value.reason == "IDENTITY_REQUIRED"

    assert registry.seq == 3
    registry.yank(ref("1.0.0"), author=author_with(Role.OPERATE))
    assert registry.state.find(ref("1.0.0")).yanked


def test_key_has_a_way_in(registry: Registry) -> None:
    """No server takes keys: who is told to act through one would never get there."""
    registry.set_policy("acme", require_identity=True, author=Author(actor="owner"))
    key = Key(namespace="acme", public_key=new_key_pair().public_key, name="ann")

    with pytest.raises(PreconditionFailed) as caught:
        registry.trust_key(key, author=Author(actor="ann"))

    assert "tabard policy set acme --no-require-identity" in caught.value.hint


def test_refused_act_leaves_the_others_of_its_record(registry: Registry, tmp_path: Path) -> None:
    """Those who wait beside it are served."""
    publish(registry, "1.0.0", folder=tmp_path)
    act = acts.set_yanked(ref("1.0.0"), yanked=True)

    with pytest.raises(Forbidden):
        registry.commit(act, author=author_with())
    registry.commit(act, author=author_with(Role.OPERATE))

    [entry] = registry.state.adapters[NAME].events
    assert (entry.actor, entry.proof, entry.effective) == ("ann", Proof.TOKEN, True)
