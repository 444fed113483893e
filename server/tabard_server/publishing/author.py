# SPDX-License-Identifier: Apache-2.0
"""Who acts at a door of this server: what callers say of themselves, as one value."""

from dataclasses import replace
from typing import Any

from tabard_registry import Author, InvalidField
from tabard_server.errors import invalid

ANONYMOUS = "anonymous"
"""Who acts when the caller does not say."""


def author_of(actor: str, *, reason: str, request_id: str) -> Author:
    """Make the author of an act; every door calls this once for each.

    Raises:
        InvalidRequest: A field is too long, or says nothing; it names the field.
    """
    author = Author(actor=ANONYMOUS)
    said: dict[str, Any] = {"actor": actor or ANONYMOUS, "reason": reason, "request_id": request_id}
    for field, text in said.items():
        try:
            author = replace(author, **{field: text})
        except InvalidField as error:
            raise invalid(field, str(error), reason=error.reason, hint=error.hint) from error
    return author
