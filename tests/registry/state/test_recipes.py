# SPDX-License-Identifier: Apache-2.0
"""Recipes: releases made of other releases."""

from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import (
    AdapterName,
    AdapterRef,
    Author,
    Grants,
    Proof,
    Registry,
    ReleaseDraft,
    Role,
    State,
    Version,
)
from tabard_registry.errors import (
    Forbidden,
    InvalidField,
    NotFound,
    PreconditionFailed,
    RegistryError,
)
from tabard_registry.state.fold import empty_state, fold
from tabard_registry.state.recipes import assemble_recipe
from tests.registry.fakes import promote, publish, ref

POSTER = AdapterName("acme", "poster")


def draft(version: str = "1.0.0") -> ReleaseDraft:
    """A draft of a recipe."""
    return ReleaseDraft(adapter=POSTER, version=Version.parse(version), notes="both")


@pytest.fixture
def stocked(registry: Registry, tmp_path: Path) -> Registry:
    """A registry with two releases of one adapter, the first one stable."""
    publish(registry, "1.0.0", folder=tmp_path)
    publish(registry, "1.1.0", folder=tmp_path)
    promote(registry, "1.0.0")
    return registry


def publish_recipe(registry: Registry, *members: str, version: str = "1.0.0") -> Registry:
    """Publish a recipe of some refs."""
    registry.publish_recipe(
        draft(version),
        members=[AdapterRef.parse(text) for text in members],
        author=Author(actor="ann"),
    )
    return registry


def test_recipe_is_locked_to_digests(stocked: Registry) -> None:
    """A recipe keeps what its refs meant when it was published."""
    publish_recipe(stocked, "acme/ink:0.5", "acme/ink@1.1.0:-0.25")
    promote(stocked, "1.1.0")

    recipe = stocked.state.resolve(AdapterRef.parse("acme/poster@1.0.0"))

    assert [(str(m.version), m.weight) for m in recipe.members] == [
        ("1.0.0", 0.5),
        ("1.1.0", -0.25),
    ]
    assert recipe.members[0].digest == stocked.state.resolve(ref("1.0.0")).digest
    assert stocked.manifest(recipe.digest).members == recipe.members


def test_recipe_knows_what_others_did(stocked: Registry, tmp_path: Path) -> None:
    """Another server moved and lifted since: a recipe of this one wears what is, not what was."""
    other = Registry.open(str(tmp_path / "registry"))
    ann = Author(actor="ann", reason="x")
    stocked.quarantine(ref("1.1.0"), author=ann)
    other.refresh()
    stocked.lift(ref("1.1.0"), author=ann)
    promote(stocked, "1.1.0")

    publish_recipe(other, "acme/ink")

    (member,) = other.state.resolve(AdapterRef.parse("acme/poster@1.0.0")).members
    assert str(member.version) == "1.1.0"


def test_recipe_moves_like_any_release(stocked: Registry) -> None:
    """A recipe is promoted and rolled back as one."""
    publish_recipe(stocked, "acme/ink@1.0.0")
    publish_recipe(stocked, "acme/ink@1.1.0", version="2.0.0")
    for version in ("1.0.0", "2.0.0"):
        stocked.promote(
            AdapterRef.parse(f"acme/poster@{version}"), channel="stable", author=Author(actor="ann")
        )

    move = stocked.roll_back(
        POSTER, channel="stable", author=Author(actor="ann", reason="too much")
    )

    assert str(move.current.version) == "1.0.0"


def test_same_recipe_again_is_the_same_release(stocked: Registry) -> None:
    """Publishing a recipe again changes nothing; other members are refused."""
    publish_recipe(stocked, "acme/ink@1.0.0")
    seq = stocked.seq

    publish_recipe(stocked, "acme/ink@1.0.0")
    with pytest.raises(RegistryError, match="members"):
        publish_recipe(stocked, "acme/ink@1.1.0")

    assert stocked.seq == seq


def test_yanked_member_flags_the_recipe(stocked: Registry) -> None:
    """Whoever looks at a recipe sees which members were withdrawn since."""
    publish_recipe(stocked, "acme/ink@1.0.0", "acme/ink@1.1.0")
    stocked.yank(ref("1.1.0"), author=Author(actor="bob", reason="bad"))

    recipe = stocked.state.resolve(AdapterRef.parse("acme/poster@1.0.0"))

    assert [str(one.version) for one in stocked.state.troubled_members(recipe)] == ["1.1.0"]


@pytest.mark.parametrize("members", [(), ("acme/ink@1.0.0", "acme/ink@1.0.0")])
def test_senseless_recipe_is_refused(stocked: Registry, members: tuple[str, ...]) -> None:
    """A recipe has members, and none of them twice."""
    with pytest.raises((InvalidField, RegistryError)):
        publish_recipe(stocked, *members)

    assert POSTER not in stocked.state.adapters


def test_embedding_has_no_weight_in_a_recipe(stocked: Registry, tmp_path: Path) -> None:
    """A server would refuse every request for such a release; alone it is a member."""
    state = stocked.state
    line = state.adapters[AdapterName("acme", "ink")]
    word = replace(line.by_version[Version.parse("1.0.0")], kind="textual_inversion")
    changed = replace(line, by_version={word.version: word}, by_digest={word.digest: word})
    state = replace(state, adapters={line.name: changed})

    for text in ("acme/ink@1.0.0", "acme/ink@1.0.0:1.0"):
        assert assemble_recipe(draft(), members=[AdapterRef.parse(text)], state=state).members
    with pytest.raises(InvalidField, match="has no weight; leave it out") as caught:
        assemble_recipe(draft(), members=[AdapterRef.parse("acme/ink@1.0.0:0.6")], state=state)
    assert caught.value.hint == "Write `acme/ink@1.0.0`, without `:0.6`."


def test_member_that_stands_there_twice_is_named(stocked: Registry) -> None:
    """By channel and by version it is one release."""
    with pytest.raises(InvalidField, match=r"names acme/ink@1\.0\.0 twice"):
        publish_recipe(stocked, "acme/ink@stable", "acme/ink@1.1.0", "acme/ink@1.0.0:0.5")


def test_recipe_of_recipes_is_refused(stocked: Registry) -> None:
    """A recipe names releases that have weights of their own."""
    publish_recipe(stocked, "acme/ink@1.0.0")

    with pytest.raises(InvalidField, match="recipe itself"):
        publish_recipe(stocked, "acme/poster@1.0.0", version="2.0.0")


def test_quarantined_member_is_refused(stocked: Registry) -> None:
    """Nothing is made of what may not be served."""
    stocked.quarantine(ref("1.0.0"), author=Author(actor="bob", reason="legal"))

    with pytest.raises(PreconditionFailed):
        publish_recipe(stocked, "acme/ink@1.0.0")


def test_recipe_of_other_members_is_void(stocked: Registry) -> None:
    """A record whose members are not those that its digest covers changes nothing."""
    publish_recipe(stocked, "acme/ink@1.0.0:0.5")
    (landed,) = stocked.since(stocked.seq - 1)
    action = landed.record.actions[0]
    member = [*action.summary["members"][0][:3], 4.0]
    forged = replace(
        landed.record, actions=(replace(action, summary={**action.summary, "members": [member]}),)
    )

    _, (applied,) = fold(before_recipe(stocked), [(forged, forged.prev)])

    assert not applied.effects[0].effective
    assert "members" in applied.effects[0].note


def before_recipe(registry: Registry) -> State:
    """The state without the last record."""
    start = empty_state(registry_id=registry.id, genesis=registry.since(0)[0].record.prev)
    records = [one.record for one in registry.since(0)[:-1]]
    return fold(start, [(record, record.prev) for record in records])[0]


OUTSIDER = Author(actor="eve", proof=Proof.TOKEN, grants=Grants({"guild": frozenset({Role.ADMIN})}))


def refusal(registry: Registry, member: str, *, author: Author) -> tuple[object, ...]:
    """What is said of a recipe elsewhere that would wear a member."""
    with pytest.raises(RegistryError) as caught:
        registry.publish_recipe(
            replace(draft(), adapter=AdapterName("guild", "poster")),
            members=[AdapterRef.parse(member)],
            author=author,
        )
    error = caught.value
    name = member.partition("@")[0]
    return (type(error), error.reason, str(error).replace(name, "NAME"), error.hint)


def test_private_member_is_no_release(stocked: Registry) -> None:
    """Who may not generate with it is told what they would be told of a name that nobody has."""
    stocked.set_policy("acme", private=True, author=Author(actor="owner"))

    private = refusal(stocked, "acme/ink@1.0.0", author=OUTSIDER)

    assert private == refusal(stocked, "nowhere/ink@1.0.0", author=OUTSIDER)
    assert private[0] is NotFound


def test_member_needs_generate(stocked: Registry) -> None:
    """Also where nothing is private."""
    assert refusal(stocked, "acme/ink@1.0.0", author=OUTSIDER)[:2] == (Forbidden, "ROLE_MISSING")
