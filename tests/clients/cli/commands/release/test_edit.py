# SPDX-License-Identifier: Apache-2.0
"""`tabard edit`: words change, and nothing else."""

import pytest

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer

REF = "acme/watercolor@1.0.0"


def test_said_words_change(published: Tabard, server: FakeServer) -> None:
    """What is left out is not sent; who and why are."""
    ran = published(
        "edit", REF, "--notes", "soft", "--licence", "MIT", "--trigger", "a", "--trigger", "b",
        "--purpose", "style", "--reason", "a typo",
    )  # fmt: skip

    request = server.state.requests[-1]
    assert (ran.code, request.HasField("title")) == (0, False)
    assert (request.actor, request.reason) == ("alice", "a typo")
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines == [
        "acme/watercolor 1.0.0 now says",
        "notes soft",
        "licence MIT",
        "purpose style",
        "trigger words a, b",
    ]
    shown = published("show", REF, "--json").document["release"]
    assert (shown["notes"], shown["licence"], shown["trigger_words"]) == ("soft", "MIT", ["a", "b"])


def test_words_can_be_taken_away(published: Tabard, server: FakeServer) -> None:
    """An empty text is said, and none is not."""
    ran = published("edit", REF, "--notes", "", "--no-triggers")

    request = server.state.requests[-1]
    assert (ran.code, request.HasField("notes"), request.HasField("licence")) == (0, True, False)
    assert request.HasField("trigger_words")
    assert ran.out.count("(nothing)") == 2


@pytest.mark.parametrize(
    "arguments", [(), ("--trigger", "a", "--no-triggers"), ("--purpose", "stile")]
)
def test_edits_that_say_nothing_are_refused(
    published: Tabard, server: FakeServer, arguments: tuple[str, ...]
) -> None:
    """Before a server is asked."""
    count = len(server.state.requests)

    assert published("edit", REF, *arguments).code == 2
    assert len(server.state.requests) == count


def test_edit_without_change_says_so(published: Tabard) -> None:
    """With what is said already."""
    first, again = (
        published("edit", REF, "--notes", "soft", "--reason", reason) for reason in ("one", "two")
    )

    assert "now says" in first.out
    told = "nothing changed, and no reason was taken: acme/watercolor 1.0.0 says already"
    assert (again.code, again.out.splitlines()[0]) == (0, told)
