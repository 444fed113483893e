# SPDX-License-Identifier: Apache-2.0
"""Who acts at a door of the server."""

from tabard_server.publishing.author import ANONYMOUS, author_of


def test_silence_is_anonymous() -> None:
    """Who does not say who he is acts as nobody in particular; the rest is taken as it is."""
    author = author_of("", reason="why", request_id="r")

    assert (author.actor, author.reason, author.request_id) == (ANONYMOUS, "why", "r")
    assert author_of("ann", reason="", request_id="").actor == "ann"
