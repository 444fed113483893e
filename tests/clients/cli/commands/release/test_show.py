# SPDX-License-Identifier: Apache-2.0
"""`tabard show`: an adapter or a release, and what is held against it."""

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_show_adapter_and_release(published: Tabard) -> None:
    """A name shows the line of releases, a ref shows one of them."""
    adapter = published("show", "acme/watercolor")
    release = published("show", "acme/watercolor@1.0.0")

    assert "1.1.0" in adapter.out
    assert "1.0.0" in adapter.out
    assert "ss_steps: 100" in release.out
    document = published("show", "acme/watercolor@1.0.0", "--json").document
    assert document["release"]["version"] == "1.0.0"
    assert len(published("show", "acme/watercolor", "--json").document["adapter"]["releases"]) == 2


def test_show_tells_triggers_and_licence(published: Tabard) -> None:
    """Of a release, and of every release of a line."""
    words = ("--trigger", "wash", "--licence", "CC-BY-4.0")
    published("edit", "acme/watercolor@1.0.0", *words)

    for ref in ("acme/watercolor", "acme/watercolor@1.0.0"):
        out = published("show", ref).out
        assert "wash" in out and "CC-BY-4.0" in out


def test_show_looks_at_the_withdrawn(published: Tabard, server: FakeServer) -> None:
    """What nobody is served with can be looked at all the same."""
    published("show", "acme/watercolor@1.0.0")

    assert server.state.requests[-1].include_withdrawn


def test_show_keeps_standing_apart_from_notes(published: Tabard) -> None:
    """Neither hides the other."""
    published("edit", "acme/watercolor@1.0.0", "--notes", "soft edges")
    published("yank", "acme/watercolor@1.0.0", "--reason", "licence")

    lines = published("show", "acme/watercolor").out.splitlines()

    assert lines[1].split()[-1] == "standing"
    assert any("soft edges" in line and "yanked: licence" in line for line in lines)


def test_show_says_nothing_of_files_that_a_recipe_has_not(published: Tabard) -> None:
    """It holds refs alone."""
    published("recipe", "acme/mix", "acme/watercolor@1.0.0:1", "--version", "1.0.0")

    shown = published("show", "acme/mix@1.0.0").out

    assert "targets" not in shown and "size" not in shown and "member" in shown
