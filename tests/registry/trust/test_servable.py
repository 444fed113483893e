# SPDX-License-Identifier: Apache-2.0
"""What may be served: a release's own standing, the members of a recipe, and signatures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import (
    AdapterName,
    AdapterRef,
    Author,
    Key,
    Registry,
    Release,
    ReleaseDraft,
    Version,
    check,
)
from tabard_registry.errors import PreconditionFailed
from tabard_registry.trust.servable import check_servable
from tabard_registry.trust.signatures import Verifier, new_key_pair, sign_digest
from tests.registry.fakes import ref, sd_profile, small_lora

INK, WASH = AdapterName("acme", "ink"), AdapterName("guild", "wash")
BLEND = AdapterName("acme", "blend")


@pytest.fixture
def recipe(registry: Registry, tmp_path: Path) -> Release:
    """A recipe of two releases in two namespaces."""
    for seed, name in enumerate((INK, WASH)):
        path = small_lora(tmp_path, seed=seed, name=f"{name.name}.safetensors")
        registry.publish(
            ReleaseDraft(adapter=name, version=Version.parse("1.0.0")),
            checked=check([path], profile=sd_profile()),
            files=[path],
            author=Author(actor="ann"),
        )
    return registry.publish_recipe(
        ReleaseDraft(adapter=BLEND, version=Version.parse("1.0.0")),
        members=[AdapterRef.parse(f"{name}@1.0.0:0.5") for name in (INK, WASH)],
        author=Author(actor="ann"),
    ).release


def refused(registry: Registry, release: Release) -> PreconditionFailed:
    """Why a release may not be served."""
    with pytest.raises(PreconditionFailed) as caught:
        check_servable(registry.state, release, verifier=Verifier())
    assert caught.value.hint
    return caught.value


def wash() -> AdapterRef:
    """The member of the other namespace."""
    return AdapterRef.parse(f"{WASH}@1.0.0")


def test_good_releases_are_served(registry: Registry, recipe: Release) -> None:
    """A release, and a recipe whose members stand."""
    for release in (recipe, registry.state.resolve(ref("1.0.0"))):
        check_servable(registry.state, release, verifier=Verifier())


@pytest.mark.parametrize(
    ("withdraw", "reason"),
    [
        (Registry.quarantine, "RELEASE_QUARANTINED"),
        (Registry.purge, "RELEASE_PURGED"),
    ],
)
def test_withdrawn_release_is_refused(
    registry: Registry, recipe: Release, withdraw: Callable[..., Release], reason: str
) -> None:
    """As the newest state has it, even where the caller holds an older value."""
    withdraw(registry, ref("1.0.0"), author=Author(actor="ann", reason="complaint"))
    older = replace(registry.state.find(ref("1.0.0")), quarantined=False, purged=False)

    assert refused(registry, older).reason == reason


@pytest.mark.parametrize("withdraw", [Registry.quarantine, Registry.purge])
def test_withdrawn_member_stops_recipe(
    registry: Registry, recipe: Release, withdraw: Callable[..., Release]
) -> None:
    """The refusal names the member, and why it was withdrawn."""
    withdraw(registry, wash(), author=Author(actor="ann", reason="complaint"))

    found = refused(registry, recipe)

    assert found.reason == "MEMBER_NOT_SERVABLE"
    assert "guild/wash@1.0.0" in str(found) and "complaint" in str(found)
    assert "acme/ink" not in str(found)


def test_lifted_member_is_served_again(registry: Registry, recipe: Release) -> None:
    """A quarantine is not for ever."""
    registry.quarantine(wash(), author=Author(actor="ann", reason="complaint"))
    registry.lift(wash(), author=Author(actor="ann", reason="cleared"))

    check_servable(registry.state, recipe, verifier=Verifier())


def test_yanked_ones_are_served(registry: Registry, recipe: Release) -> None:
    """Who pinned a release, or locked a recipe to it, keeps it."""
    registry.yank(wash(), author=Author(actor="ann", reason="pale"))
    registry.yank(AdapterRef.parse(f"{BLEND}@1.0.0"), author=Author(actor="ann", reason="pale"))

    for release in (recipe, registry.state.resolve(wash())):
        check_servable(registry.state, release, verifier=Verifier())


def test_unknown_member_stops_recipe(registry: Registry, recipe: Release) -> None:
    """A recipe of another registry is not served here."""
    empty = Registry.open(str(registry.store.url) + "-other")

    found = refused(empty, recipe)

    assert found.reason == "MEMBER_NOT_SERVABLE" and "acme/ink@1.0.0" in str(found)


def test_members_namespaces_ask_for_signatures(registry: Registry, recipe: Release) -> None:
    """Each member is held to the policy of its own namespace."""
    pair = new_key_pair()
    key = registry.trust_key(
        Key(namespace="guild", public_key=pair.public_key, name="ci"), author=Author(actor="owner")
    )
    registry.set_policy("guild", require_signature=True, author=Author(actor="owner"))
    before = refused(registry, recipe)

    signature = sign_digest(pair.private_key_pem, registry.state.resolve(wash()).digest)
    registry.sign(wash(), key_id=key.id, signature=signature, author=Author(actor="ci"))

    assert before.reason == "SIGNATURE_REQUIRED" and "guild/wash@1.0.0" in str(before)
    check_servable(registry.state, recipe, verifier=Verifier())


def test_recipe_itself_is_signed(registry: Registry, recipe: Release) -> None:
    """Signed members do not make a signed recipe."""
    registry.set_policy("acme", require_signature=True, author=Author(actor="owner"))

    assert "acme/blend@1.0.0" in str(refused(registry, recipe))
