# SPDX-License-Identifier: Apache-2.0
"""Envelopes as securesystemslib, which is not ours, reads and verifies them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from tabard_registry import sha256_bytes
from tabard_registry.errors import InvalidField
from tabard_registry.release.keys import Key
from tabard_registry.trust.envelope import encoded, signed_envelope
from tabard_registry.trust.signatures import KeyPair, is_signature, new_key_pair

TYPE = "application/vnd.in-toto+json"
PAYLOAD = '{"a": "ü"}'.encode()


def known(pair: KeyPair) -> SSlibKey:
    """The public half, as the other library knows it."""
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(pair.public_key))
    key_id = Key(namespace="", public_key=pair.public_key, name="").id
    return SSlibKey.from_crypto(public, keyid=key_id)


def made(pair: KeyPair, *, payload: bytes = PAYLOAD) -> dict[str, Any]:
    """An envelope, through JSON."""
    envelope = signed_envelope(pair.private_key_pem, payload_type=TYPE, payload=payload)
    document: dict[str, Any] = json.loads(json.dumps(envelope))
    return document


@pytest.mark.parametrize("payload", [PAYLOAD, b"", bytes(range(256)) * 40])
def test_others_verify_it(payload: bytes) -> None:
    """By the key's id, for the very bytes."""
    pair = new_key_pair()

    envelope = Envelope.from_dict(made(pair, payload=payload))

    assert list(envelope.verify([known(pair)], 1)) == [known(pair).keyid]
    assert (envelope.payload, envelope.payload_type) == (payload, TYPE)
    assert envelope.pae() == encoded(TYPE, payload)


@pytest.mark.parametrize("field", ["payload", "payloadType"])
def test_others_see_a_change(field: str) -> None:
    """Of the payload or of its type."""
    pair = new_key_pair()
    document = made(pair)
    document[field] = {
        "payload": base64.b64encode(b"other").decode(),
        "payloadType": "text/plain",
    }[field]

    with pytest.raises(VerificationError):
        Envelope.from_dict(document).verify([known(pair)], 1)


def test_others_know_another_key() -> None:
    """Its word is not ours."""
    with pytest.raises(VerificationError):
        Envelope.from_dict(made(new_key_pair())).verify([known(new_key_pair())], 1)


def test_envelope_signs_no_release() -> None:
    """Whatever its payload is, the signature is none of a release."""
    pair = new_key_pair()
    digest = sha256_bytes(b"a manifest")

    signature = made(pair, payload=str(digest).encode())["signatures"][0]["sig"]

    assert not is_signature(signature, digest=digest, public_key=pair.public_key)


def test_other_files_are_no_keys() -> None:
    """As for releases."""
    with pytest.raises(InvalidField):
        signed_envelope(b"nonsense", payload_type=TYPE, payload=PAYLOAD)
