# SPDX-License-Identifier: Apache-2.0
"""What a call shows of who makes it, and what that comes to. Values; printing shows no secret."""

from dataclasses import dataclass, field

from tabard_registry.identity.identity import ANYBODY, Identity
from tabard_server.errors import Unauthenticated

BEARER_CHARS_MAX = 8_192
"""Longest token that is looked at."""

_SCHEME = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a call shows.

    Attributes:
        bearer: A token; None: none was given.
        certificate: Names of a client certificate that was checked already, each with its kind,
            like `uri:spiffe://studio.example/render`; empty: there is none.
    """

    bearer: str | None = field(default=None, repr=False)
    certificate: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An identity, and how long what was shown counts.

    Attributes:
        identity: Who it is.
        expires_at: Seconds since the epoch; None: it does not end by itself.
    """

    identity: Identity
    expires_at: float | None = None


UNASKED = Session(identity=ANYBODY)
"""Whoever calls where nobody is asked who they are."""


def read_authorization(values: list[str]) -> str | None:
    """Read the token out of what a call says under `authorization`; None: it says nothing.

    Raises:
        Unauthenticated: It says something else, or more than one thing, or far too much.
    """
    if not values:
        return None
    if len(values) > 1:
        raise malformed("a call says only once who makes it")
    text = values[0]
    scheme, _space, token = text[: BEARER_CHARS_MAX + len(_SCHEME) + 2].partition(" ")
    token = token.strip()
    if scheme.lower() != _SCHEME or not token or not token.isascii():
        raise malformed("the authorization of a call is `Bearer` and a token")
    if len(token) > BEARER_CHARS_MAX:
        raise malformed(f"the token has more than {BEARER_CHARS_MAX} characters")
    return token


def malformed(why: str) -> Unauthenticated:
    """Make the refusal of what is no token; it never repeats what was said."""
    return Unauthenticated(
        why,
        reason="TOKEN_MALFORMED",
        hint="give the token as it was printed: tabard_…, or a token of the issuer",
    )
