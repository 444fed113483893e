# SPDX-License-Identifier: Apache-2.0
"""Pages: their size, their tokens, and that nobody goes on with another question's."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tabard.v1 import registry_service_pb2 as pb
from tabard_server.errors import InvalidRequest
from tabard_server.rpc.pages import Pages

PAGES = Pages(size_default=2, size_max=3, bytes_max=100)


def hits(*notes: str) -> Iterator[tuple[tuple[int], pb.SearchHit]]:
    """Return hits with their places."""
    return (((place,), pb.SearchHit(snippet=note)) for place, note in enumerate(notes, start=1))


def token_of(request: Any) -> str:
    """Return the token of a page that ends at place 1."""
    return PAGES.fill(request, hits("a"), is_more=True)[1]


@pytest.mark.parametrize(("asked", "size"), [(0, 2), (1, 1), (3, 3), (99, 3)])
def test_size_is_bounded(asked: int, size: int) -> None:
    """Zero asks for as many as is usual, and no page is larger than may be."""
    assert PAGES.size_of(pb.SearchRequest(page_size=asked)) == size


def test_size_below_zero_is_refused() -> None:
    """As AIP-158 has it."""
    with pytest.raises(InvalidRequest) as caught:
        PAGES.size_of(pb.SearchRequest(page_size=-1))

    assert caught.value.reason == "PAGE_SIZE_INVALID"


def test_page_goes_on_where_the_last_one_ended() -> None:
    """The size may change between pages; the last one has no token."""
    first = pb.SearchRequest(words="ink", page_size=1)
    second = pb.SearchRequest(words="ink", page_size=3, page_token=token_of(first))

    assert PAGES.start_of(first, int) is None
    assert PAGES.start_of(second, int) == (1,)
    assert PAGES.fill(second, hits("a", "b"), is_more=False)[1] == ""


def test_large_messages_make_short_pages() -> None:
    """One is there however large it is, and the rest is for the next page."""
    request = pb.SearchRequest()

    found, token = PAGES.fill(request, hits("x" * 500, "y"), is_more=False)

    assert len(found) == 1
    assert PAGES.start_of(pb.SearchRequest(page_token=token), int) == (1,)


FORGED = base64.urlsafe_b64encode(json.dumps(["0" * 16, 1]).encode()).decode()


@pytest.mark.parametrize(
    "request_",
    [
        pb.SearchRequest(words="ink", page_token="acme/ink"),
        pb.SearchRequest(words="ink", page_token="WyI="),
        pb.SearchRequest(words="ink", page_token="NQ=="),
        pb.SearchRequest(words="ink", page_token="ü"),
        pb.SearchRequest(words="ink", page_token=FORGED),
        pb.SearchRequest(words="pen", page_token=token_of(pb.SearchRequest(words="ink"))),
        pb.SearchRequest(words="ink", page_token=token_of(pb.ListAdaptersRequest())),
    ],
)
def test_bad_token_is_refused(request_: Any) -> None:
    """What is none, and what belongs to another question."""
    with pytest.raises(InvalidRequest) as caught:
        PAGES.start_of(request_, int)

    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("page_token", "PAGE_TOKEN_INVALID")


@pytest.mark.parametrize("place", [["1"], [True], [1, 2], [None], []])
def test_place_of_another_kind_is_refused(place: list[Any]) -> None:
    """A token that was made by hand names no place."""
    request = pb.SearchRequest(words="ink")
    question = json.loads(base64.urlsafe_b64decode(token_of(request)))[0]
    request.page_token = base64.urlsafe_b64encode(json.dumps([question, *place]).encode()).decode()

    with pytest.raises(InvalidRequest):
        PAGES.start_of(request, int)
