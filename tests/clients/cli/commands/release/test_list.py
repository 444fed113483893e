# SPDX-License-Identifier: Apache-2.0
"""`tabard list`: a line for each adapter."""

from tests.clients.cli.conftest import Tabard


def test_list_shows_channels(published: Tabard) -> None:
    """One line an adapter."""
    text = published("list")
    ran = published("list", "--json")

    assert "acme/watercolor" in text.out
    assert "stable → 1.1.0" in text.out
    assert [one["name"] for one in ran.document["adapters"]] == ["acme/watercolor"]


def test_empty_list_says_so(tabard: Tabard) -> None:
    """An empty registry is no error."""
    assert "nothing is published yet" in tabard("list").out
    assert tabard("list", "--json").document == {"adapters": []}


def test_list_marks_a_recipe_of_withdrawn_members(published: Tabard) -> None:
    """Nobody is served with it, though nothing was done to itself."""
    published("quarantine", "acme/watercolor@1.0.0", "--reason", "r", "--yes")
    published("recipe", "acme/mix", "acme/watercolor@1.0.0:1", "--version", "1.0.0")
    published("promote", "acme/mix@1.0.0")

    assert "stable → 1.0.0 (member withdrawn!)" in published("list").out
