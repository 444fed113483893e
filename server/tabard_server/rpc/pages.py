# SPDX-License-Identifier: Apache-2.0
"""Pages of long answers, as AIP-158 has them: a size, and a token that says where the next begins.

In: a request, and what there is from a place on. Out: as much of it as one message holds, and the
token, which only the server reads: it names the question, so that no other is continued with it.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from tabard_server.errors import invalid
from tabard_server.limits import Limits

M = TypeVar("M", bound=Message)

_QUESTION_CHARS = 16


class PagedRequest(Protocol):
    """What all requests for a page have in common."""

    page_size: int
    page_token: str


class Pages:
    """Reads where a page begins, and writes it."""

    def __init__(self, *, size_default: int, size_max: int, bytes_max: int) -> None:
        """Take how many there are on a page, and how many bytes one answer may have."""
        self._size_default = size_default
        self._size_max = size_max
        self.bytes_max = bytes_max

    @classmethod
    def within(cls, limits: Limits) -> "Pages":
        """Make those of a server."""
        return cls(
            size_default=limits.page_size_default,
            size_max=limits.page_size_max,
            bytes_max=limits.page_bytes_max,
        )

    def size_of(self, request: PagedRequest) -> int:
        """Return how many are wanted: 0 asks for the usual, and too many for the most.

        Raises:
            InvalidRequest: Fewer than none.
        """
        if request.page_size < 0:
            raise invalid(
                "page_size",
                f"page_size is {request.page_size}",
                reason="PAGE_SIZE_INVALID",
                hint=f"use 1 to {self._size_max}, or 0 for {self._size_default}",
            )
        return min(request.page_size or self._size_default, self._size_max)

    def start_of(self, request: Any, *parts: type[Any]) -> tuple[Any, ...] | None:
        """Return the place after which a page begins; None: at the beginning.

        Args:
            request: The request.
            parts: The types of what a place consists of.

        Raises:
            InvalidRequest: The token is none, or was given for another question.
        """
        if not request.page_token:
            return None
        try:
            said = base64.b64decode(request.page_token, altchars="-_", validate=True)
            question, *place = json.loads(said)
        except (binascii.Error, ValueError, TypeError, RecursionError):
            question, place = "", []
        if question != _question(request) or tuple(map(type, place)) != parts:
            raise invalid(
                "page_token",
                "page_token is not one that this question was answered with",
                reason="PAGE_TOKEN_INVALID",
                hint="send the next_page_token of the page before, and everything else as it was "
                "then; or begin anew without a token",
            )
        return tuple(place)

    def fill(
        self,
        request: Any,
        found: Iterable[tuple[tuple[Any, ...], M]],
        *,
        is_more: bool,
    ) -> tuple[list[M], str]:
        """Take messages until they have bytes enough; return them, and the token of the next page.

        Args:
            request: What was asked.
            found: What there is, each with its place.
            is_more: Whether there is more behind it.
        """
        some: list[M] = []
        place: tuple[Any, ...] = ()
        bytes_left = self.bytes_max
        for here, message in found:
            bytes_left -= message.ByteSize()
            if some and bytes_left < 0:
                is_more = True
                break
            some.append(message)
            place = here
        return some, _token(request, place) if is_more and some else ""


def _token(request: Any, place: tuple[Any, ...]) -> str:
    document = json.dumps([_question(request), *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).decode()


def _question(request: Any) -> str:
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("page_size")
    asked.ClearField("page_token")
    said = request.DESCRIPTOR.full_name.encode() + asked.SerializeToString(deterministic=True)
    return hashlib.sha256(said).hexdigest()[:_QUESTION_CHARS]
