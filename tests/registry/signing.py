# SPDX-License-Identifier: Apache-2.0
"""Acts of keys, in the words of the tests."""

from tabard_registry import Author, Key, Registry, Release
from tabard_registry.trust.signatures import KeyPair, sign_digest
from tests.registry.fakes import ref


def trust(registry: Registry, pair: KeyPair, *, namespace: str = "acme") -> Key:
    """Let a namespace trust a key."""
    key = Key(namespace=namespace, public_key=pair.public_key, name="ci")
    return registry.trust_key(key, author=Author(actor="owner"))


def require(registry: Registry, *, namespace: str = "acme", signature: bool = True) -> None:
    """Ask for signatures in a namespace."""
    registry.set_policy(namespace, require_signature=signature, author=Author(actor="owner"))


def sign(registry: Registry, release: Release, pair: KeyPair, *, key: Key) -> Release:
    """Sign a release."""
    signature = sign_digest(pair.private_key_pem, release.digest)
    return registry.sign(
        ref("1.0.0"), key_id=key.id, signature=signature, author=Author(actor="ci")
    )
