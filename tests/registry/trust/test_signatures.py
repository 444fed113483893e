# SPDX-License-Identifier: Apache-2.0
"""Signatures: what is signed, whose word counts, and what is refused before it is served."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tabard_registry import Author, Registry, Release, acts, sha256_bytes
from tabard_registry.acts.act import action_on
from tabard_registry.errors import InvalidField, NotFound, PreconditionFailed
from tabard_registry.trust.signatures import (
    SIGNATURE_PREFIX,
    KeyPair,
    Verifier,
    check_signed,
    is_signature,
    new_key_pair,
    public_key_of,
    sign_digest,
)
from tests.registry.fakes import publish, ref
from tests.registry.signing import require, sign, trust

DIGEST = sha256_bytes(b"a manifest")
GOLDEN_PEM = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
"""
GOLDEN_PUBLIC = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="


@pytest.fixture
def pair() -> KeyPair:
    """A key pair."""
    return new_key_pair()


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """A published release."""
    return publish(registry, "1.0.0", folder=tmp_path).release


def check(registry: Registry) -> None:
    """Ask whether the release is signed as its namespace wants it."""
    check_signed(registry.state, registry.state.resolve(ref("1.0.0")), verifier=Verifier())


def refusal(registry: Registry) -> str:
    """The reason why it is not."""
    with pytest.raises(PreconditionFailed) as caught:
        check(registry)
    assert caught.value.hint
    return caught.value.reason


def test_signature_is_of_golden_bytes() -> None:
    """What is signed is part of the protocol: prefix, line end, text of the digest."""
    assert public_key_of(GOLDEN_PEM) == GOLDEN_PUBLIC
    signature = sign_digest(GOLDEN_PEM, DIGEST)

    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(GOLDEN_PUBLIC))
    public.verify(
        base64.b64decode(signature),
        b"tabard release signature v1\n" + f"sha256:{DIGEST.hex}".encode(),
    )
    assert SIGNATURE_PREFIX == b"tabard release signature v1\n"


def test_signature_is_the_keys_alone(pair: KeyPair) -> None:
    """It holds for one key and one digest."""
    signature = sign_digest(pair.private_key_pem, DIGEST)
    other = new_key_pair()

    assert is_signature(signature, digest=DIGEST, public_key=pair.public_key)
    assert not is_signature(signature, digest=sha256_bytes(b"b"), public_key=pair.public_key)
    assert not is_signature(signature, digest=DIGEST, public_key=other.public_key)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "ü", "A" * 88])
def test_nonsense_is_no_signature(pair: KeyPair, text: str) -> None:
    """Whatever cannot be read is not a signature, and no key."""
    assert not is_signature(text, digest=DIGEST, public_key=pair.public_key)
    signature = sign_digest(pair.private_key_pem, DIGEST)
    assert not is_signature(signature, digest=DIGEST, public_key=text)


def test_private_half_is_not_shown(pair: KeyPair) -> None:
    """A key pair that is printed does not tell its secret."""
    assert "PRIVATE" not in repr(pair) and pair.public_key in repr(pair)


def test_only_ed25519_keys_sign() -> None:
    """Another kind of key, a locked one, or no key at all is refused."""
    other = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for pem in (other, b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(InvalidField):
            sign_digest(pem, DIGEST)


def test_policy_asks_for_signature(registry: Registry, release: Release, pair: KeyPair) -> None:
    """Without a policy anything goes; with one, only what a trusted key signed."""
    check(registry)
    require(registry)
    assert refusal(registry) == "SIGNATURE_REQUIRED"

    signed = sign(registry, release, pair, key=trust(registry, pair))

    check(registry)
    assert [one.seq for one in signed.signatures] == [registry.seq]
    assert sign(registry, release, pair, key=trust(registry, pair)) == signed


def test_policy_can_be_taken_back(registry: Registry, release: Release) -> None:
    """And it is the namespace's own."""
    require(registry)
    require(registry, namespace="other")
    require(registry, signature=False)

    check(registry)


def test_revoked_key_counts_no_longer(registry: Registry, release: Release, pair: KeyPair) -> None:
    """Nor do its old signatures, and it never comes back."""
    key = trust(registry, pair)
    sign(registry, release, pair, key=key)
    require(registry)
    check(registry)

    revoked = registry.revoke_key(
        "acme", key_id=key.id, author=Author(actor="owner", reason="stolen")
    )

    assert revoked.subject.revoked
    assert refusal(registry) == "SIGNATURE_REQUIRED"
    with pytest.raises(InvalidField, match="revoked"):
        trust(registry, pair)
    with pytest.raises(NotFound):
        sign(registry, release, pair, key=key)


def test_second_key_keeps_a_release_served(
    registry: Registry, release: Release, pair: KeyPair
) -> None:
    """One valid signature is enough, whatever became of the other."""
    first, second_pair = trust(registry, pair), new_key_pair()
    second = trust(registry, second_pair)
    sign(registry, release, pair, key=first)
    sign(registry, release, second_pair, key=second)
    require(registry)

    registry.revoke_key("acme", key_id=first.id, author=Author(actor="owner", reason="stolen"))

    check(registry)


def test_forged_record_is_refused(registry: Registry, release: Release, pair: KeyPair) -> None:
    """A record that somebody wrote past these checks does not help: serving verifies again."""
    key = trust(registry, pair)
    forged = base64.b64encode(b"x" * 64).decode()
    honest = acts.sign(ref("1.0.0"), key_id=key.id, signature=forged)
    summary = {"key": key.id, "signature": forged}
    forgery = acts.Plan(action=replace(action_on("sign", release), summary=summary))
    registry.commit(replace(honest, plan=lambda _state: forgery), author=Author(actor="mallory"))
    require(registry)

    assert refusal(registry) == "SIGNATURE_INVALID"


def test_verifier_looks_once(monkeypatch: pytest.MonkeyPatch, pair: KeyPair) -> None:
    """What it has seen costs no arithmetic again."""
    calls: list[str] = []

    def counting(signature: str, **_said: object) -> bool:
        calls.append(signature)
        return True

    monkeypatch.setattr("tabard_registry.trust.signatures.is_signature", counting)
    verifier = Verifier()

    for signature in ("a", "a", "b"):
        assert verifier.is_valid(signature, digest=DIGEST, public_key=pair.public_key)

    assert calls == ["a", "b"]
