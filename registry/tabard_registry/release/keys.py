# SPDX-License-Identifier: Apache-2.0
"""Who may vouch for releases: public keys, and what a namespace asks of them and of authors."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tabard_registry.errors import InvalidField, check_length
from tabard_registry.release.gates import NO_GATES, Gates

PUBLIC_KEY_BYTES = 32
"""Length of an Ed25519 public key (RFC 8032)."""
KEY_NAME_CHARS_MAX = 200
"""Longest name of a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public key that a namespace trusts.

    Attributes:
        namespace: Whose releases it may sign.
        public_key: The raw 32 bytes of an Ed25519 public key (RFC 8032), base64.
        name: Whose key it is, for people.
        revoked: Whether its signatures count no longer, old ones included.

    Raises:
        InvalidField: It is not a key.
    """

    namespace: str
    public_key: str
    name: str
    revoked: bool = False

    def __post_init__(self) -> None:
        check_length("the name of a key", self.name, chars_max=KEY_NAME_CHARS_MAX)
        try:
            size = len(base64.b64decode(self.public_key, validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if size != PUBLIC_KEY_BYTES:
            raise InvalidField(
                "not an Ed25519 public key",
                reason="FIELD_INVALID",
                hint="Give the raw 32 bytes in base64, as `tabard key new` prints them.",
            )

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the sha256 of the raw key."""
        return hashlib.sha256(base64.b64decode(self.public_key)).hexdigest()[:16]

    @property
    def path(self) -> str:
        """`namespace/id`: where the state keeps it."""
        return f"{self.namespace}/{self.id}"

    def to_json(self) -> dict[str, Any]:
        """Write the key as a JSON object, without its namespace."""
        return {"public_key": self.public_key, "name": self.name, "revoked": self.revoked}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, namespace: str) -> Key:
        """Read what `to_json` wrote; raises what the lookups and the checks raise."""
        return cls(
            namespace=namespace,
            public_key=str(value["public_key"]),
            name=str(value["name"]),
            revoked=bool(value["revoked"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a namespace asks of its releases, and of who acts there.

    Attributes:
        namespace: The namespace.
        require_signature: Whether only releases signed by a trusted key are served.
        private: Whether it does not exist for those who may not generate with it.
        require_identity: Whether acts of authors whom nobody checked have no effect there.
        channels: What promotions need, by channel pattern; rollbacks never need any of it.
        enforce_sampling: Whether a request outside the bounds that a release declares is refused,
            whatever the release says of it.

    Raises:
        InvalidField: It asks for nothing that can be understood.
    """

    namespace: str
    require_signature: bool = False
    private: bool = False
    require_identity: bool = False
    channels: Gates = field(default_factory=lambda: NO_GATES)
    enforce_sampling: bool = False

    def __post_init__(self) -> None:
        for name in POLICY_WORDS:
            if not isinstance(getattr(self, name), bool):
                raise InvalidField(
                    f"{name} is neither true nor false",
                    reason="FIELD_INVALID",
                    hint="Say true or false.",
                )


POLICY_WORDS = ("require_signature", "private", "require_identity", "enforce_sampling")
"""What a policy says by true or false, by name."""
