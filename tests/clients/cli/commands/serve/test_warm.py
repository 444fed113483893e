# SPDX-License-Identifier: Apache-2.0
"""`tabard warm`: a release lies in memory ahead of its first request."""

from tests.clients.cli.conftest import Tabard


def test_warm_says_where_it_lies(published: Tabard) -> None:
    """The tier and the size, as a sentence and as a document."""
    text = published("warm", "acme/watercolor@1.0.0")
    document = published("warm", "acme/watercolor@1.0.0", "--json").document

    assert text.out == "acme/watercolor 1.0.0 is in host memory, 324.0 kB\n"
    assert (document["version"], document["tier"], document["bytes"]) == ("1.0.0", "host", 324_000)


def test_unknown_release_is_not_warmed(tabard: Tabard) -> None:
    """The server's refusal decides the exit code."""
    assert tabard("warm", "acme/none").code == 3
