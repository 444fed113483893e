# SPDX-License-Identifier: Apache-2.0
"""Who acts at a door of this server: what callers say of themselves, as one value."""

from tabard_registry import Author

ANONYMOUS = "anonymous"
"""Who acts when the caller does not say."""


def author_of(actor: str, *, reason: str, request_id: str) -> Author:
    """Make the author of an act; every door calls this once for each.

    Raises:
        InvalidField: A field is too long.
    """
    return Author(actor=actor or ANONYMOUS, reason=reason, request_id=request_id)
