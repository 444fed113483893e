# SPDX-License-Identifier: Apache-2.0
"""What was read lately is kept, and no more of it than may be."""

from tabard_server.evidence.recent import Recent


def test_oldest_go_first() -> None:
    """Those that nobody asked for; a value may be nothing."""
    recent: Recent[str, int | None] = Recent(2)
    recent.put("a", 1)
    recent.put("b", None)
    assert recent.get("a") == 1
    recent.put("c", 3)

    assert [name for name in "abc" if name in recent] == ["a", "c"]
    assert recent.get("b") is None
