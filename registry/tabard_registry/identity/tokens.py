# SPDX-License-Identifier: Apache-2.0
"""Tokens of a registry: what the log keeps of one, and the secret that only its owner has. Pure.

A secret is 256 random bits, so its plain sha256 can be kept: nobody guesses back from it. Nothing
here shows a secret when it is printed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tabard_registry.errors import InvalidField, check_length
from tabard_registry.identity.roles import Grants

SECRET_CHARS_MAX = 128
"""Longest text that is looked at as a secret."""
TOKEN_NAME_CHARS_MAX = 64
"""Longest name of a token, and of a tenant."""

_ID_BYTES, _SECRET_BYTES, _MARK_HEX = 6, 32, 8
_ID = re.compile(r"[0-9a-f]{12}")
_TEXTS = (
    *("id", "name", "tenant", "hash"),
    *("created_at", "created_by", "expires_at", "revoke_reason"),
)
_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+/-]*[A-Za-z0-9])?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_NAME_HINT = (
    "Letters, digits and . _ @ + / - between them, for example `ann` or `ci/nightly`; "
    "not the form of an id."
)
_SECRET = re.compile(r"tabard_([0-9a-f]{8})_([0-9a-f]{12})_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a registry knows of a token.

    Attributes:
        id: 12 hexadecimal digits, also in the secret.
        name: Who its owner is; one token that was not revoked has the name.
        tenant: Whose share of the machine its owner uses; empty: the name.
        grants: What its owner may do, and where.
        hash: sha256 of the whole secret, in hexadecimal digits.
        created_at: When it was made, as records write times.
        created_by: Who made it.
        expires_at: From when it does not count; empty: never.
        revoked: Whether it counts no longer.
        revoke_reason: Why; empty unless revoked.
        places: Where the log has its acts, record and position; only the fold knows.

    Raises:
        InvalidField: A field is too long, or not what it must be.
    """

    id: str
    name: str
    grants: Grants
    hash: str = field(repr=False)
    created_at: str
    created_by: str
    tenant: str = ""
    expires_at: str = ""
    revoked: bool = False
    revoke_reason: str = ""
    places: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenant", self.tenant or self.name)
        for what, text in (("the name of a token", self.name), ("a tenant", self.tenant)):
            check_length(what, text, chars_max=TOKEN_NAME_CHARS_MAX)
            if not _NAME.fullmatch(text) or is_token_id(text):
                raise _invalid(f"{what} cannot be {text!r}", hint=_NAME_HINT)
        if not (is_token_id(self.id) and _HASH.fullmatch(self.hash)):
            raise _invalid("a token needs an id and a hash", hint="Make a new one.")
        for text in filter(None, (self.created_at, self.expires_at)):
            if not _TIME.fullmatch(text):
                raise _invalid(f"{text[:40]!r} is not a time of a record", hint="Say it in UTC.")

    def is_namesake(self, other: Token) -> bool:
        """Say whether both have one name, which no second token has before the first is revoked."""
        return self.name == other.name and not (self.revoked or other.revoked)

    def as_revoked(self, reason: str, *, places: tuple[tuple[int, int], ...]) -> Token:
        """Return it as it is once it is revoked, with the places of its acts."""
        return replace(self, revoked=True, revoke_reason=reason, places=places)

    def is_live(self, *, at: str) -> bool:
        """Say whether it counts at a time, written as records write times."""
        return not self.revoked and (not self.expires_at or at < self.expires_at)

    def to_json(self) -> dict[str, Any]:
        """Write it as a JSON object; where its acts are follows from the log."""
        return {
            "id": self.id,
            "name": self.name,
            "tenant": self.tenant,
            "grants": self.grants.to_json(),
            "hash": self.hash,
            "created_at": self.created_at,
            "created_by": self.created_by,
            "expires_at": self.expires_at,
            "revoked": self.revoked,
            "revoke_reason": self.revoke_reason,
        }

    @classmethod
    def from_json(
        cls, value: Mapping[str, Any], *, places: tuple[tuple[int, int], ...] = ()
    ) -> Token:
        """Read what `to_json` wrote; raises what the lookups and the checks raise."""
        if not isinstance(value["revoked"], bool):
            raise TypeError("revoked is neither true nor false")
        texts = {name: str(value[name]) for name in _TEXTS}
        grants = Grants.from_json(value["grants"])
        return cls(**texts, grants=grants, revoked=value["revoked"], places=places)


class NewSecret(NamedTuple):
    """A secret that was just made; printing it shows which one it is, and nothing else.

    Attributes:
        text: The secret, for its owner alone.
        id: The id of its token.
        hash: What the log keeps of it.
    """

    text: str
    id: str
    hash: str

    def __repr__(self) -> str:
        return f"NewSecret(id={self.id!r})"


class SecretParts(NamedTuple):
    """What a secret says of itself to everybody.

    Attributes:
        mark: The first digits of its registry's id.
        id: The id of its token.
    """

    mark: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made.

    Attributes:
        token: What the registry keeps.
        secret: What its owner shows; it is kept nowhere.
    """

    token: Token
    secret: str = field(repr=False)


def new_token(
    registry_id: str,
    *,
    name: str,
    grants: Grants,
    created_at: str,
    created_by: str,
    tenant: str = "",
    expires_at: str = "",
) -> NewToken:
    """Make a token of a registry, with a secret of its own; nothing is written by that."""
    secret = new_secret(registry_id)
    token = Token(
        id=secret.id,
        name=name,
        tenant=tenant,
        grants=grants,
        hash=secret.hash,
        created_at=created_at,
        created_by=created_by,
        expires_at=expires_at,
    )
    return NewToken(token=token, secret=secret.text)


def new_secret(registry_id: str, *, new_hex: Callable[[int], str] = secrets.token_hex) -> NewSecret:
    """Make a secret for a token of a registry.

    Args:
        registry_id: The registry.
        new_hex: Returns that many random bytes in hexadecimal digits.
    """
    id = new_hex(_ID_BYTES)
    text = f"tabard_{registry_mark(registry_id)}_{id}_{new_hex(_SECRET_BYTES)}"
    return NewSecret(text=text, id=id, hash=hash_of(text))


def parse_secret(text: str) -> SecretParts | None:
    """Read which token a secret is of; None for what is none. Looks at short texts only."""
    if len(text) > SECRET_CHARS_MAX:
        return None
    found = _SECRET.fullmatch(text)
    return SecretParts(mark=found[1], id=found[2]) if found else None


def hash_of(secret: str) -> str:
    """Return what a log keeps of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def registry_mark(registry_id: str) -> str:
    """Return the digits by which a secret tells its registry: the first ones of its id."""
    return re.sub(r"[^0-9a-f]", "", registry_id)[:_MARK_HEX].ljust(_MARK_HEX, "0")


def is_token_id(text: str) -> bool:
    """Say whether a text is an id of a token, not a name."""
    return _ID.fullmatch(text) is not None


def _invalid(message: str, *, hint: str) -> InvalidField:
    return InvalidField(message, reason="FIELD_INVALID", hint=hint)
