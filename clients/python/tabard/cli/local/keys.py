# SPDX-License-Identifier: Apache-2.0
"""The keys that sign releases, as the commands use them; needs the extra `registry`.

A private key's file comes in, signatures go out; a public key becomes what people are shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tabard.calls.local_files import unreadable
from tabard.cli.local.registry import library, sdk_errors
from tabard.errors import InvalidArgument

_KEY_BYTES_MAX = 16 << 10


class SigningKey:
    """A private key that was read from its file; it stays in this process.

    Raises:
        FailedPrecondition: The extra is not installed.
        InvalidArgument: The file cannot be read, or holds no private key.
    """

    def __init__(self, file: Path, *, needed_for: str) -> None:
        self._needed_for = needed_for
        self._signatures = library("trust.signatures", needed_for=needed_for)
        self._private_key = _read(file)
        with sdk_errors():
            self.id = key_id(self._signatures.public_key_of(self._private_key))

    def sign(self, digest: Any) -> str:
        """Sign the digest of a release."""
        return str(self._signatures.sign_digest(self._private_key, digest))

    def envelope(self, payload: bytes, *, payload_type: str) -> dict[str, Any]:
        """Sign a payload; give its DSSE envelope, as JSON has it."""
        made = library("trust.envelope", needed_for=self._needed_for)
        envelope: dict[str, Any] = made.signed_envelope(
            self._private_key, payload_type=payload_type, payload=payload
        )
        return envelope


def key_id(public_key: str) -> str:
    """Give the name by which a public key is known."""
    key_class = library("release.keys", needed_for="tabard key").Key
    return str(key_class(namespace="", public_key=public_key, name="").id)


def key_document(found: Any) -> dict[str, Any]:
    """Give what is known of a key that some namespace trusts, or trusted."""
    return {"namespace": found.namespace, "id": found.id, **found.to_json()}


def _read(file: Path) -> bytes:
    """Read a private key's file; what is too large to be one is refused."""
    try:
        with file.open("rb") as opened_file:
            content = opened_file.read(_KEY_BYTES_MAX + 1)
    except OSError as error:
        raise unreadable(file, error) from error
    if len(content) > _KEY_BYTES_MAX:
        raise InvalidArgument(
            f"{file} is no private key", reason="FIELD_INVALID", hint="Name the file of the key."
        )
    return content
