# SPDX-License-Identifier: Apache-2.0
"""`tabard unyank`: a release is resolved again."""

from tests.clients.cli.conftest import Tabard

REF = "acme/watercolor@1.0.0"


def test_unyank_says_so(published: Tabard) -> None:
    """As a sentence, and as a document without the old reason."""
    published("yank", REF, "--reason", "licence")

    text = published("unyank", REF, "--reason", "cleared")
    document = published("unyank", REF, "--reason", "cleared", "--json").document["release"]

    assert text.out.splitlines()[0] == "acme/watercolor 1.0.0 can be resolved by channel again"
    assert (document["yanked"], document["yank_reason"]) == (False, "")
