# SPDX-License-Identifier: Apache-2.0
"""`tabard purge`: the bytes are gone; the record stays, and says why."""

from tests.clients.cli.conftest import Tabard

REF = "acme/watercolor@1.0.0"


def test_purge_is_safe_to_repeat(published: Tabard) -> None:
    """The second time is no error, and the release is still told of."""
    first = published("purge", REF, "--reason", "asked for", "--yes", "--json")
    second = published("purge", REF, "--reason", "asked for", "--yes")

    assert (first.code, first.document["release"]["purged"]) == (0, True)
    assert (second.code, "was purged already: asked for" in second.out) == (0, True)
