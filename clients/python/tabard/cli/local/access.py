# SPDX-License-Identifier: Apache-2.0
"""Tokens and policies of a registry that is at hand; needs the extra `registry`.

Speaks as a client of a server does, so that a command need not know which of them it asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from tabard.access.identity import CreatedToken, Gate, Policy, PolicyChange, Token, TokenChange
from tabard.cli.local.registry import author, library, open_registry, sdk_errors
from tabard.convert import same_fields


class Keeper(Protocol):
    """Keeps tokens and policies: a `tabard.Client`, or a registry here. Errors are the SDK's."""

    def create_token(
        self,
        name: str,
        grants: Mapping[str, Iterable[str]],
        *,
        tenant: str = "",
        expires_at: datetime | Literal[""] = "",
        reason: str = "",
    ) -> CreatedToken:
        """Make a token."""
        ...

    def tokens(self, *, include_ended: bool = False) -> tuple[Token, ...]:
        """Give the tokens."""
        ...

    def revoke_token(self, token: str, *, reason: str) -> TokenChange:
        """Revoke a token."""
        ...

    def policy(self, namespace: str) -> Policy:
        """Say what a namespace asks for."""
        ...

    def set_policy(
        self,
        namespace: str,
        *,
        require_signature: bool | None = None,
        private: bool | None = None,
        require_identity: bool | None = None,
        channels: Mapping[str, Gate | None] | None = None,
        enforce_sampling: bool | None = None,
        reason: str = "",
    ) -> PolicyChange:
        """Change what a namespace asks for."""
        ...


class LocalKeeper:
    """Implements `Keeper` at a registry that was opened here."""

    def __init__(self, registry: Any, *, needed_for: str) -> None:
        self._registry = registry
        self._needed_for = needed_for

    def create_token(
        self,
        name: str,
        grants: Mapping[str, Iterable[str]],
        *,
        tenant: str = "",
        expires_at: datetime | Literal[""] = "",
        reason: str = "",
    ) -> CreatedToken:
        """Make a token."""
        roles = library("identity.roles", needed_for=self._needed_for)
        with sdk_errors():
            made = self._registry.create_token(
                name,
                grants=roles.Grants.from_json(grants),
                author=author(reason),
                tenant=tenant,
                expires_at=expires_at or None,
            )
        return _created(made)

    def bootstrap_token(self, name: str) -> CreatedToken:
        """Make the first token, which is admin everywhere."""
        with sdk_errors():
            return _created(self._registry.bootstrap_token(name, author=author("bootstrap")))

    def tokens(self, *, include_ended: bool = False) -> tuple[Token, ...]:
        """Give the tokens."""
        now = library("log.records", needed_for=self._needed_for).time_text(datetime.now(UTC))
        found = self._registry.tokens()
        return tuple(_token(one) for one in found if include_ended or one.is_live(at=now))

    def revoke_token(self, token: str, *, reason: str) -> TokenChange:
        """Revoke a token."""
        with sdk_errors():
            done = self._registry.revoke_token(token, author=author(reason))
        return TokenChange(token=_token(done.subject), changed=done.changed)

    def policy(self, namespace: str) -> Policy:
        """Say what a namespace asks for."""
        names = library(needed_for=self._needed_for)
        with sdk_errors():
            library("refs.names", needed_for=self._needed_for).check_namespace(namespace)
            found = self._registry.state.policies.get(namespace)
            return _policy(found or names.Policy(namespace=namespace))

    def set_policy(
        self,
        namespace: str,
        *,
        require_signature: bool | None = None,
        private: bool | None = None,
        require_identity: bool | None = None,
        channels: Mapping[str, Gate | None] | None = None,
        enforce_sampling: bool | None = None,
        reason: str = "",
    ) -> PolicyChange:
        """Change what a namespace asks for."""
        with sdk_errors():
            done = self._registry.set_policy(
                namespace,
                author=author(reason),
                require_signature=require_signature,
                private=private,
                require_identity=require_identity,
                channels=self._gates(channels),
                enforce_sampling=enforce_sampling,
            )
        return PolicyChange(policy=_policy(done.subject), changed=done.changed)

    def _gates(self, channels: Mapping[str, Gate | None] | None) -> Mapping[str, Any]:
        gates = library("release.gates", needed_for=self._needed_for)
        return {
            pattern: gates.Gate(**_words_of(one)) if one else None
            for pattern, one in (channels or {}).items()
        }


@contextmanager
def open_local_keeper(url: str, *, needed_for: str) -> Iterator[LocalKeeper]:
    """Open a registry that exists."""
    with open_registry(url, needed_for=needed_for) as registry:
        yield LocalKeeper(registry, needed_for=needed_for)


def _created(made: Any) -> CreatedToken:
    return CreatedToken(token=_token(made.token), secret=made.secret)


def _token(found: Any) -> Token:
    grants = {space: tuple(roles) for space, roles in found.grants.to_json().items()}
    return same_fields(Token, found, grants=grants)


def _policy(found: Any) -> Policy:
    gates = {pattern: same_fields(Gate, one) for pattern, one in found.channels.items()}
    return same_fields(Policy, found, channels=gates)


def _words_of(gate: Gate) -> dict[str, Any]:
    return {one.name: getattr(gate, one.name) for one in fields(gate)}
