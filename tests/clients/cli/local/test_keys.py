# SPDX-License-Identifier: Apache-2.0
"""A private key's file becomes signatures; what is no key is refused."""

import base64
from pathlib import Path

import pytest

from tabard import InvalidArgument
from tabard.cli.local.keys import SigningKey, key_document, key_id
from tabard_registry import sha256_bytes
from tabard_registry.release.keys import Key
from tabard_registry.trust.signatures import is_signature, new_key_pair

DIGEST = sha256_bytes(b"a manifest")


def test_key_signs_what_its_public_half_knows(tmp_path: Path) -> None:
    """The id is the public key's."""
    pair = new_key_pair()
    (tmp_path / "ann.pem").write_bytes(pair.private_key_pem)

    key = SigningKey(tmp_path / "ann.pem", needed_for="the test")

    assert key.id == key_id(pair.public_key)
    assert is_signature(key.sign(DIGEST), digest=DIGEST, public_key=pair.public_key)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"x" * (1 << 20)])
def test_other_files_are_no_keys(tmp_path: Path, content: bytes) -> None:
    """Whatever is named as a key and is none, however large."""
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(InvalidArgument) as caught:
        SigningKey(tmp_path / "file", needed_for="the test")

    assert caught.value.hint


def test_document_tells_all_of_a_key() -> None:
    """With its namespace and its id."""
    public_key = base64.b64encode(bytes(32)).decode()

    document = key_document(Key(namespace="acme", public_key=public_key, name="ann"))

    assert document == {
        "namespace": "acme",
        "id": key_id(public_key),
        "public_key": public_key,
        "name": "ann",
        "revoked": False,
    }
