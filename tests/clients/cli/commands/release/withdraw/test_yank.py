# SPDX-License-Identifier: Apache-2.0
"""`tabard yank`: out of resolution, with a reason that is shown."""

from tests.clients.cli.conftest import Tabard


def test_yank_and_unyank_speak(published: Tabard) -> None:
    """The reason of a yank is shown with the release."""
    yanked = published("yank", "acme/watercolor@1.0.0", "--reason", "licence")
    shown = published("show", "acme/watercolor")
    unyanked = published("unyank", "acme/watercolor@1.0.0", "--reason", "ok", "--json")

    assert "yanked acme/watercolor 1.0.0: licence" in yanked.out
    assert "yanked: licence" in shown.out
    assert unyanked.document["release"]["yanked"] is False


def test_yank_is_undone_by_its_pair(published: Tabard) -> None:
    """What was held against the release is so no longer."""
    published("yank", "acme/watercolor@1.0.0", "--reason", "licence")

    published("unyank", "acme/watercolor@1.0.0", "--reason", "cleared")

    assert "yanked" not in published("show", "acme/watercolor").out
