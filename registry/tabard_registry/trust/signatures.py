# SPDX-License-Identifier: Apache-2.0
"""Signatures of releases: Ed25519 over the text of a release's digest. Pure; no records, no log."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tabard_registry.errors import InvalidField, PreconditionFailed
from tabard_registry.refs.digest import Digest
from tabard_registry.release.release import Release
from tabard_registry.state.recipes import manifest_of
from tabard_registry.state.state import State

SIGNATURE_PREFIX = b"tabard release signature v1\n"
"""What is signed begins with this. Part of the protocol."""


SIGNATURES_KEPT_MAX = 65_536
"""How many signatures a verifier remembers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A new key: one half to keep, one half to hand out.

    Attributes:
        private_key_pem: PKCS#8 in PEM, not encrypted.
        public_key: The raw 32 bytes, base64, as `Key` has it.
    """

    private_key_pem: bytes = field(repr=False)
    public_key: str


class Verifier:
    """Checks signatures, and remembers what it found. Any thread; microseconds once it knows."""

    def __init__(self) -> None:
        self._is_valid = lru_cache(maxsize=SIGNATURES_KEPT_MAX)(is_signature)

    def is_valid(self, signature: str, *, digest: Digest, public_key: str) -> bool:
        """Whether the signature is the key's on this digest."""
        return self._is_valid(signature, digest=digest, public_key=public_key)


def new_key_pair() -> KeyPair:
    """Make a key from the operating system's randomness."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        encoding=serialization.Encoding.PEM,
        format=serialization.PrivateFormat.PKCS8,
        encryption_algorithm=serialization.NoEncryption(),
    )
    return KeyPair(private_key_pem=pem, public_key=_public_text(private))


def public_key_of(private_key_pem: bytes) -> str:
    """Return the public half of a private key, base64.

    Raises:
        InvalidField: It is not an Ed25519 private key in PEM.
    """
    return _public_text(_private_key(private_key_pem))


def sign_digest(private_key_pem: bytes, digest: Digest) -> str:
    """Sign a release's digest; return the signature in base64.

    Raises:
        InvalidField: It is not an Ed25519 private key in PEM.
    """
    return sign_bytes(private_key_pem, _message(digest))


def sign_bytes(private_key_pem: bytes, content: bytes) -> str:
    """Sign bytes that say themselves what they are; return the signature in base64.

    Raises:
        InvalidField: It is not an Ed25519 private key in PEM.
    """
    return base64.b64encode(_private_key(private_key_pem).sign(content)).decode("ascii")


def is_signature(signature: str, *, digest: Digest, public_key: str) -> bool:
    """Whether a signature is a key's on this digest; whatever cannot be read is not."""
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        public.verify(base64.b64decode(signature, validate=True), _message(digest))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, binascii.Error):
        return False
    return True


def check_signed(state: State, release: Release, *, verifier: Verifier) -> None:
    """Refuse a release whose namespace asks for a signature, and that has none that counts.

    One valid signature by a key that the namespace trusts now is enough.

    Raises:
        PreconditionFailed: There is none (SIGNATURE_REQUIRED), or it is not true
            (SIGNATURE_INVALID).
    """
    namespace = release.adapter.namespace
    policy = state.policies.get(namespace)
    if policy is None or not policy.require_signature:
        return
    if release.members and manifest_of(release).digest != release.digest:
        # A signature covers the digest, and the digest covers the members: not these.
        raise _untrue(f"{release} does not combine what its digest says")
    forged: list[str] = []
    for one in release.signatures:
        key = state.keys.get(f"{namespace}/{one.key_id}")
        if key is None or key.revoked:
            continue
        if verifier.is_valid(one.signature, digest=release.digest, public_key=key.public_key):
            return
        forged.append(one.key_id)
    if forged:
        raise _untrue(f"the signature of {release} by key {forged[0]} is not true")
    raise PreconditionFailed(
        f"{namespace} serves only signed releases, and no key that it trusts signed {release}",
        reason="SIGNATURE_REQUIRED",
        hint=f"Let a trusted key sign it: `tabard sign {release} --key FILE`.",
    )


def _untrue(message: str) -> PreconditionFailed:
    return PreconditionFailed(
        message,
        reason="SIGNATURE_INVALID",
        hint="Quarantine the release and find out who wrote that; sign it anew if it is good.",
    )


def _private_key(pem: bytes) -> Ed25519PrivateKey:
    try:
        found = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_private_key() from error
    if not isinstance(found, Ed25519PrivateKey):
        raise _no_private_key()
    return found


def _no_private_key() -> InvalidField:
    return InvalidField(
        "that is not an Ed25519 private key in PEM without a password",
        reason="FIELD_INVALID",
        hint="Make one with `tabard key new FILE`.",
    )


def _public_text(private: Ed25519PrivateKey) -> str:
    raw = private.public_key().public_bytes(
        encoding=serialization.Encoding.Raw, format=serialization.PublicFormat.Raw
    )
    return base64.b64encode(raw).decode("ascii")


def _message(digest: Digest) -> bytes:
    return SIGNATURE_PREFIX + str(digest).encode("ascii")
