# SPDX-License-Identifier: Apache-2.0
"""`tabard recipe`: members with their weights become a release."""

from tabard.v1 import adapter_pb2 as pb
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer

REF = "acme/watercolor@1.0.0"


def test_recipe_tells_members(published: Tabard) -> None:
    """Members with their weights, and how to let others wear it."""
    published("quarantine", REF, "--reason", "r", "--yes")

    ran = published("recipe", "acme/mix", f"{REF}:0.7", "--version", "1.0.0", "--reason", "book")
    shown = published("show", "acme/mix@1.0.0")
    document = published("show", "acme/mix@1.0.0", "--json").document["release"]

    assert ran.code == 0
    assert "next: tabard promote acme/mix@1.0.0" in ran.out
    assert "0.7" in shown.out
    assert f"uses withdrawn {REF}" in shown.out
    assert document["members"][0]["weight"] == 0.7
    assert document["publish_reason"] == "book"


def test_recipe_draft_reaches_server(published: Tabard, server: FakeServer) -> None:
    """Everything that is said of a release can be said of a recipe."""
    options = ("--version", "2.0.0", "--notes", "n", "--license", "MIT", "--purpose", "style")

    ran = published("recipe", "acme/mix", f"{REF}:0.7", f"{REF}:0.2", *options, "--json")

    request = server.state.requests[-1]
    draft = request.draft
    assert (ran.code, [one.ref for one in request.members]) == (0, [f"{REF}:0.7", f"{REF}:0.2"])
    assert (draft.version, draft.notes, draft.licence) == ("2.0.0", "n", "MIT")
    assert (draft.purpose, draft.actor) == (pb.PURPOSE_STYLE, "alice")
    assert ran.document["created"]
