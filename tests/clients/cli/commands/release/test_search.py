# SPDX-License-Identifier: Apache-2.0
"""`tabard search`: a line for each adapter that has the words."""

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_search_lists_hits(published: Tabard) -> None:
    """A line for each adapter; nothing found is no error."""
    found = published("search", "watercolor")
    none = published("search", "no", "such")

    assert "acme/watercolor" in found.out
    assert (none.code, none.out) == (0, "nothing has all these words\n")
    assert "1.1.0    name, notes" in found.out
    hit = published("search", "watercolor", "--json").document["hits"][0]
    assert hit["release_count"] == 2


def test_search_joins_words_and_bounds(published: Tabard, server: FakeServer) -> None:
    """Words go as one text; how many hits is the server's affair unless it is said."""
    published("search", "wet", "paper")
    published("search", "ink", "--limit", "2")

    requests = server.state.requests[-2:]
    assert [(one.words, one.page_size) for one in requests] == [("wet paper", 0), ("ink", 2)]
