# SPDX-License-Identifier: Apache-2.0
"""Who acts and why: one value, made once at a door and carried by the act into its record."""

from __future__ import annotations

from dataclasses import dataclass, field

from tabard_registry.errors import InvalidField, check_text
from tabard_registry.identity.identity import Proof
from tabard_registry.identity.roles import EVERYTHING, Grants

ACTOR_CHARS_MAX = 200
"""Longest actor."""
REASON_CHARS_MAX = 2_000
"""Longest reason."""
REQUEST_ID_CHARS_MAX = 200
"""Longest request id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wants an act, and why.

    Attributes:
        actor: Who; not empty. Where there is a proof, the name that was shown.
        reason: Why; some acts need one, and say so themselves.
        request_id: Key of the caller: the same key never acts twice. Empty: no such promise.
        on_behalf_of: What the author says of themselves, where the actor is who they have shown
            to be.
        proof: How they have shown it; NONE: nobody checked, and the actor is what they say.
        grants: What they may do; everything where nobody checks.

    Raises:
        InvalidField: The actor is missing, a field is too long, or has control characters.
    """

    actor: str
    reason: str = ""
    request_id: str = ""
    on_behalf_of: str = ""
    proof: Proof = Proof.NONE
    grants: Grants = field(default=EVERYTHING, repr=False)

    def __post_init__(self) -> None:
        if not self.actor.strip():
            raise InvalidField(
                "an act needs an actor",
                reason="FIELD_REQUIRED",
                hint="Say who acts: a person, a team or a job.",
            )
        check_text("the actor", self.actor, chars_max=ACTOR_CHARS_MAX)
        check_text("on_behalf_of", self.on_behalf_of, chars_max=ACTOR_CHARS_MAX)
        check_text("the reason", self.reason, chars_max=REASON_CHARS_MAX, lines=True)
        check_text("the request id", self.request_id, chars_max=REQUEST_ID_CHARS_MAX)
