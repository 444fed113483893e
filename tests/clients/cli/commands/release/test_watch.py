# SPDX-License-Identifier: Apache-2.0
"""`tabard watch`: what happens, a line for each record."""

import json

from tests.clients.cli.conftest import Tabard


def test_watch_writes_one_line_each(published: Tabard) -> None:
    """A pipe reads one document a line; a person reads a sentence."""
    ran = published("watch", "--from", "1", "--count", "2", "--json")
    text = published("watch", "--from", "2", "--count", "1")

    assert [json.loads(line)["seq"] for line in ran.out.splitlines()] == [1, 2]
    assert "alice: promote acme/watercolor 1.0.0 → stable" in text.out
