# SPDX-License-Identifier: Apache-2.0
"""Keys, policies and signatures as acts: what becomes a record, and what never does."""

from pathlib import Path

import pytest

from tabard_registry import (
    Author,
    InvalidField,
    InvalidName,
    Key,
    NotFound,
    Policy,
    PreconditionFailed,
    Registry,
    Release,
)
from tabard_registry.trust.signatures import KeyPair, new_key_pair
from tests.registry.fakes import publish
from tests.registry.signing import require, sign, trust


@pytest.fixture
def pair() -> KeyPair:
    """A key pair."""
    return new_key_pair()


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """A published release."""
    return publish(registry, "1.0.0", folder=tmp_path).release


def test_trusted_key_is_in_the_state(registry: Registry, pair: KeyPair) -> None:
    """Keys are records; trusting twice writes once."""
    key = trust(registry, pair)

    assert registry.state.keys == {f"acme/{key.id}": key}
    assert trust(registry, pair) == key
    assert registry.seq == 1


def test_keys_of_other_namespaces_do_not_count(
    registry: Registry, release: Release, pair: KeyPair
) -> None:
    """A key signs for the namespace that trusts it."""
    key = trust(registry, pair, namespace="other")

    with pytest.raises(NotFound) as caught:
        sign(registry, release, pair, key=key)

    assert caught.value.reason == "KEY_NOT_FOUND"


def test_name_of_a_key_holds_no_controls(registry: Registry, pair: KeyPair) -> None:
    """It is shown beside what the key signs."""
    key = Key(namespace="acme", public_key=pair.public_key, name="ann\x1b[2J")

    with pytest.raises(InvalidField, match="control character"):
        registry.trust_key(key, author=Author(actor="owner"))


def test_untrue_signature_is_not_written(
    registry: Registry, release: Release, pair: KeyPair
) -> None:
    """It is verified before it is a record."""
    key, other = trust(registry, pair), new_key_pair()
    seq = registry.seq

    with pytest.raises(PreconditionFailed) as caught:
        sign(registry, release, other, key=key)

    assert (caught.value.reason, registry.seq) == ("SIGNATURE_INVALID", seq)


def test_revocation_needs_key_and_reason(registry: Registry, pair: KeyPair) -> None:
    """A key that was never trusted cannot be revoked, and nobody revokes without a word."""
    key = trust(registry, pair)

    with pytest.raises(NotFound):
        registry.revoke_key("acme", key_id="0" * 16, author=Author(actor="owner", reason="stolen"))
    with pytest.raises(InvalidField):
        registry.revoke_key("acme", key_id=key.id, author=Author(actor="owner", reason=" "))


def test_bad_names_and_keys_are_refused(registry: Registry, pair: KeyPair) -> None:
    """Nothing of it reaches the log."""
    with pytest.raises(InvalidName):
        trust(registry, pair, namespace="No Namespace")
    with pytest.raises(InvalidName):
        require(registry, namespace="")
    with pytest.raises(InvalidField):
        Key(namespace="acme", public_key="AAAA", name="ci")
    assert registry.seq == 0


def test_key_is_revoked_once(registry: Registry, pair: KeyPair) -> None:
    """Again it writes nothing, also under the request id that did it."""
    key = trust(registry, pair)
    author = Author(actor="owner", reason="stolen", request_id="r")

    first = registry.revoke_key("acme", key_id=key.id, author=author)
    again = registry.revoke_key("acme", key_id=key.id, author=author)
    other = registry.revoke_key("acme", key_id=key.id, author=Author(actor="bob", reason="too"))

    assert first == again
    assert (first.changed, other.changed) == (True, False)
    assert first.subject == other.subject
    assert (first.subject.revoked, registry.seq) == (True, 2)


def test_policy_changes_what_is_said(registry: Registry) -> None:
    """What is not said stays as it is; what is so already writes nothing."""
    author = Author(actor="owner")

    registry.set_policy("acme", require_signature=True, author=author)
    registry.set_policy("acme", private=True, author=author)
    said = registry.set_policy("acme", require_signature=False, private=True, author=author)
    again = registry.set_policy("acme", private=True, author=author)

    assert said.subject == again.subject == Policy(namespace="acme", private=True)
    assert (said.changed, again.changed) == (True, False)
    assert (registry.state.policies, registry.seq) == ({"acme": said.subject}, 3)


def test_policy_says_something(registry: Registry) -> None:
    """An act without a word would be no act."""
    with pytest.raises(InvalidField, match="nothing is said"):
        registry.set_policy("acme", author=Author(actor="owner"))
