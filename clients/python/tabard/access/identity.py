# SPDX-License-Identifier: Apache-2.0
"""Who somebody is, as the SDK tells it: identities, tokens, and what namespaces ask for.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Grants = Mapping[str, tuple[str, ...]]
"""Roles by namespace; `*` stands for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a caller is to a server.

    Attributes:
        name: The actor of its acts; empty where nobody is asked who they are.
        tenant: Whose share of the server it uses.
        grants: Its roles by namespace.
        proof: How it has shown who it is: `token`, `jwt`, `certificate`; empty: nobody asked.
        expires_at: When that ends, as RFC 3339; empty: not by itself.
    """

    name: str
    tenant: str
    grants: Grants
    proof: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of a registry, without its secret.

    Attributes:
        id: 12 hexadecimal digits.
        name: Who it is: the actor of what is done with it.
        tenant: Whose share of a server it uses.
        grants: Its roles by namespace.
        created_at: When it was made, as RFC 3339.
        created_by: Who made it.
        expires_at: From when it is refused, as RFC 3339; empty: it does not expire.
        revoked: Whether it was revoked.
        revoke_reason: Why it was.
    """

    id: str
    name: str
    tenant: str
    grants: Grants
    created_at: str
    created_by: str
    expires_at: str
    revoked: bool
    revoke_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedToken:
    """A new token and its secret, which is kept nowhere: hand it on, or lose it."""

    token: Token
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What promotions to some channels need; a rollback never needs any of it.

    Attributes:
        require_success: The newest report says Success; an override does without.
        reviews: How many people, none of them the author, approve of the newest report.
        require_checks: No failure check of a subject is `not_checked`; an override does without.
        bounds: What that Success is judged by, like `{"style_min": 0.7}`; the bounds of the server
            that measured stand for the others.
        promote_on_success: A canary that succeeds moves the channel by itself, if every gate that
            the channel stands behind says so.
    """

    require_success: bool = False
    reviews: int = 0
    require_checks: bool = False
    bounds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    promote_on_success: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a namespace asks for.

    Attributes:
        namespace: Which one.
        require_signature: Whether only signed releases are served.
        private: Whether it does not exist for those who may not generate with it.
        require_identity: Whether acts of authors whom nobody checked have no effect in it.
        channels: What promotions need, by channel or pattern of channels.
        enforce_sampling: Whether a request outside the bounds that a release declares is refused.
    """

    namespace: str
    require_signature: bool
    private: bool
    require_identity: bool
    channels: Mapping[str, Gate]
    enforce_sampling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChange:
    """The answer to an act on a token.

    Attributes:
        token: The token as it is now.
        changed: False when it was so already: nothing was written, and the reason was not taken.
    """

    token: Token
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """The answer to a change of what a namespace asks for.

    Attributes:
        policy: What it asks for now.
        changed: False when it was so already: nothing was written, and the reason was not taken.
    """

    policy: Policy
    changed: bool
