# SPDX-License-Identifier: Apache-2.0
"""`tabard lift`: a release can be served again."""

from tests.clients.cli.conftest import Tabard

REF = "acme/watercolor@1.0.0"


def test_lift_gives_release(published: Tabard) -> None:
    """As a sentence, and as a document."""
    published("quarantine", REF, "--reason", "r", "--yes")

    text = published("lift", REF, "--reason", "cleared")
    ran = published("lift", REF, "--reason", "cleared", "--json")

    assert "acme/watercolor 1.0.0 can be served again" in text.out
    assert ran.document["release"]["quarantined"] is False
