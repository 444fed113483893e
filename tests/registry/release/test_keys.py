# SPDX-License-Identifier: Apache-2.0
import base64
import hashlib

import pytest

from tabard_registry.errors import InvalidField
from tabard_registry.release.keys import KEY_NAME_CHARS_MAX, Key, Policy

RAW = bytes(range(32))
TEXT = base64.b64encode(RAW).decode()
KEY = Key(namespace="acme", public_key=TEXT, name="ci", revoked=True)


def test_id_is_of_the_raw_key() -> None:
    """Whoever has the key knows its id; it stands in signatures."""
    assert KEY.id == hashlib.sha256(RAW).hexdigest()[:16]
    assert KEY.path == f"acme/{KEY.id}"


def test_key_survives_its_json() -> None:
    """The namespace is kept beside it."""
    written = KEY.to_json()

    assert "namespace" not in written
    assert Key.from_json(written, namespace="acme") == KEY


@pytest.mark.parametrize("text", ["", "AAAA", TEXT + "AAAA", "not base64!", "ü" * 44, f"{TEXT}\n"])
def test_other_bytes_are_no_key(text: str) -> None:
    """Thirty-two bytes in base64, and nothing around them."""
    with pytest.raises(InvalidField, match="Ed25519"):
        Key(namespace="acme", public_key=text, name="ci")


def test_name_of_a_key_is_bounded() -> None:
    """It stands in every checkpoint."""
    with pytest.raises(InvalidField, match="name of a key"):
        Key(namespace="acme", public_key=TEXT, name="x" * (KEY_NAME_CHARS_MAX + 1))


@pytest.mark.parametrize("value", [None, 1, "true"])
def test_policy_is_true_or_false(value: object) -> None:
    """A text from a record is not taken for a yes."""
    with pytest.raises(InvalidField, match="require_signature"):
        Policy(namespace="acme", require_signature=value)  # type: ignore[arg-type]
