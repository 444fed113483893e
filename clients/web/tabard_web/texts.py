# SPDX-License-Identifier: Apache-2.0
"""Texts of requests: JSON can hold half a character, which no message to a server can."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def whole(text: str) -> str:
    """Give a text that can be sent.

    Raises:
        ValueError: It has half a character, one half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it has half a character at {error.start}") from error
    return text


Text = Annotated[str, AfterValidator(whole)]
"""A text that can be sent."""
