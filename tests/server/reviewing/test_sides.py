# SPDX-License-Identifier: Apache-2.0
"""Sides follow from the pictures, the voter and the key, and from nothing else."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import sha256_bytes
from tabard_registry.evidence.pairs import Pair
from tabard_server.reviewing.sides import Sides

KEY = b"k" * 32


def pair(number: int) -> Pair:
    """A pair of pictures."""
    drawn = (sha256_bytes(f"{side} {number}".encode()) for side in ("one", "other"))
    candidate, baseline = drawn
    return Pair(prompt=number, seed=1, candidate=candidate, baseline=baseline)


PAIRS = [pair(number) for number in range(4_000)]


def told(sides: Sides, one: Pair) -> tuple[object, ...]:
    """All that a voter is told of a pair before the vote."""
    return sides.handle(one), sides.shown(one), sides.in_order([*PAIRS[:9], one]).index(one)


@given(st.integers(0, 10_000), st.text(max_size=40), st.binary(min_size=32, max_size=32))
def test_who_drew_which_changes_nothing(number: int, voter: str, key: bytes) -> None:
    """Had the other release drawn them, the voter would be told the very same."""
    one, sides = pair(number), Sides(key=key, voter=voter)
    swapped = replace(one, candidate=one.baseline, baseline=one.candidate)

    assert told(sides, one)[:2] == told(sides, swapped)[:2]
    assert sides.in_order([one]) == [one]


def test_sides_are_even_and_their_own() -> None:
    """Half of all pairs, another half for each voter and for each key, whatever the order."""
    every = [
        Sides(key=KEY, voter="ann"),
        Sides(key=KEY, voter="bob"),
        Sides(key=b"x" * 32, voter="ann"),
    ]
    is_a = np.array([[s.shown(one)[0] == one.candidate for one in PAIRS] for s in every])

    bound = 4 * 0.5 / np.sqrt(len(PAIRS))
    assert np.all(np.abs(is_a.mean(axis=1) - 0.5) < bound)
    agreements = [(is_a[a] == is_a[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert np.all(np.abs(np.array(agreements) - 0.5) < bound)


def test_pair_is_found_by_its_own_voter() -> None:
    """Another one calls it otherwise; no two pairs are called the same."""
    ann, bob = Sides(key=KEY, voter="ann"), Sides(key=KEY, voter="bob")
    handles = {ann.handle(one) for one in PAIRS}

    assert len(handles) == len(PAIRS)
    assert ann.find(PAIRS[:50], ann.handle(PAIRS[7])) == PAIRS[7]
    assert bob.find(PAIRS[:50], ann.handle(PAIRS[7])) is None
    assert handles.isdisjoint(map(bob.handle, PAIRS))


def test_order_is_the_voters_own() -> None:
    """And has nothing to do with the grid's, or with the sides."""
    ann, bob = Sides(key=KEY, voter="ann"), Sides(key=KEY, voter="bob")
    order = ann.in_order(PAIRS)
    places = np.arange(len(order))
    is_a = np.array([ann.shown(one)[0] == one.candidate for one in order])

    assert order != bob.in_order(PAIRS)
    assert sorted(order, key=lambda one: one.prompt) == PAIRS
    assert abs(np.corrcoef(places, is_a)[0, 1]) < 4 / np.sqrt(len(order))
