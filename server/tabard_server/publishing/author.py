# SPDX-License-Identifier: Apache-2.0
"""Who acts at a door of this server: who they have shown to be, and what they say of themselves."""

from dataclasses import replace
from typing import Any

from tabard_registry import Author, InvalidField
from tabard_registry.identity.identity import Identity, Proof
from tabard_server.errors import invalid

ANONYMOUS = "anonymous"
"""Who acts when the caller does not say."""


def author_of(actor: str, *, reason: str, request_id: str, identity: Identity) -> Author:
    """Make the author of an act; every door calls this once for each.

    Args:
        actor: What callers say of themselves: who acts, where nobody is asked; beside who it is,
            where that is known.
        reason: Why.
        request_id: Key of the caller.
        identity: Who calls.

    Raises:
        InvalidRequest: A field is too long, or says nothing; it names the field.
    """
    author = Author(actor=ANONYMOUS)
    is_known = identity.proof is not Proof.NONE
    if is_known:
        author = Author(actor=identity.name, proof=identity.proof, grants=identity.grants)
    said: tuple[tuple[str, dict[str, Any]], ...] = (
        ("actor", {"on_behalf_of": actor} if is_known else {"actor": actor or ANONYMOUS}),
        ("reason", {"reason": reason}),
        ("request_id", {"request_id": request_id}),
    )
    for field, words in said:
        try:
            author = replace(author, **words)
        except InvalidField as error:
            raise invalid(field, str(error), reason=error.reason, hint=error.hint) from error
    return author
