# SPDX-License-Identifier: Apache-2.0
"""DSSE envelopes: any payload with its type, signed with the key that signs releases. Pure.

The signature is over DSSE's encoding of type and payload, so it is never that of a release.
"""

from __future__ import annotations

import base64
from typing import Any

from tabard_registry.release.keys import Key
from tabard_registry.trust.signatures import public_key_of, sign_bytes

_TEXT = "DSSEv1"


def signed_envelope(private_key_pem: bytes, *, payload_type: str, payload: bytes) -> dict[str, Any]:
    """Sign a payload; return its envelope, as JSON has it.

    Raises:
        InvalidField: It is not an Ed25519 private key in PEM.
    """
    signature = sign_bytes(private_key_pem, encoded(payload_type, payload))
    key = Key(namespace="", public_key=public_key_of(private_key_pem), name="")
    return {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": payload_type,
        "signatures": [{"keyid": key.id, "sig": signature}],
    }


def encoded(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b" ".join(
        (_TEXT.encode(), str(len(kind)).encode(), kind, str(len(payload)).encode(), payload)
    )
