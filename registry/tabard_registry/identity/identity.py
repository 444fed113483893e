# SPDX-License-Identifier: Apache-2.0
"""An identity: what every way of saying who one is ends in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tabard_registry.identity.roles import EVERYTHING, Grants


class Proof(StrEnum):
    """How somebody has shown who they are."""

    NONE = ""
    """Nobody asked: a name is what a caller says of itself."""
    TOKEN = "token"
    """A token of this registry."""
    JWT = "jwt"
    """A token of an OpenID Connect issuer."""
    CERTIFICATE = "certificate"
    """A client certificate (mTLS)."""
    SERVER = "server"
    """A server of this registry by itself: what it does follows from the log."""

    @classmethod
    def read(cls, text: object) -> Proof:
        """Read what a record says; what this Tabard does not know is none."""
        try:
            return cls(str(text))
        except ValueError:
            return cls.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is.

    Attributes:
        name: Who: the actor of records; empty where nobody asked.
        tenant: Whose share of the machine they use.
        grants: What they may do, and where.
        proof: How they have shown it.
        token_id: Which token of the registry it was; empty for other proofs.
    """

    name: str
    tenant: str
    grants: Grants
    proof: Proof
    token_id: str = ""


ANYBODY = Identity(name="", tenant="", grants=EVERYTHING, proof=Proof.NONE)
"""Everybody, where identity is not switched on."""
