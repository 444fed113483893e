# SPDX-License-Identifier: Apache-2.0
"""What is kept of files has a bound, and what was used last stays longest."""

from tabard_registry.intake.files.kept import Kept


def test_last_used_stay() -> None:
    """The sum of the sizes is never above the bound; what was not used for longest goes first."""
    kept: Kept[str, int] = Kept(sizes_max=3)
    for number, name in enumerate("abc"):
        kept.put(name, number, size=1)
    assert kept.get("a") == 0

    kept.put("d", 3, size=2)

    assert [kept.get(name) for name in "abcd"] == [0, None, None, 3]


def test_what_is_too_large_is_not_kept() -> None:
    """One value that is larger than the bound pushes nothing out."""
    kept: Kept[str, int] = Kept(sizes_max=3)
    kept.put("a", 0, size=3)

    kept.put("b", 1, size=4)

    assert (kept.get("a"), kept.get("b")) == (0, None)


def test_same_key_counts_once() -> None:
    """A value that is kept again takes the place of the one before."""
    kept: Kept[str, int] = Kept(sizes_max=2)
    kept.put("b", 0, size=1)
    for number in range(5):
        kept.put("a", number, size=1)

    assert (kept.get("a"), kept.get("b")) == (4, 0)
    kept.clear()
    assert kept.get("a") is None
