# SPDX-License-Identifier: Apache-2.0
from tabard_registry.checkpoint.later import LaterSet, LaterTuple


class Counted:
    """Makes a value, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, source: int) -> tuple[int, ...]:
        self.times += 1
        return (source, 2)


def test_value_is_made_once() -> None:
    """At the first look, and never again."""
    make = Counted()
    later = LaterTuple(make, 1)
    assert make.times == 0

    looks = (len(later), later[0], later[:1], list(later), later == (1, 2))

    assert looks == (2, 1, (1,), [1, 2], True)
    assert make.times == 1


def test_tuple_cannot_be_told_apart() -> None:
    """It equals and hashes as what it becomes."""
    later = LaterTuple(iter, [1, 2])

    assert later == (1, 2) and tuple(later) == (1, 2)
    assert later != (1, 3)
    assert hash(later) == hash((1, 2))


def test_unions_are_plain_sets() -> None:
    """A union keeps nothing of the file that a set came from."""
    later = LaterSet(iter, [1, 2])

    union = later | {3}

    assert later == {1, 2} and 1 in later
    assert (type(union), union) == (frozenset, {1, 2, 3})
