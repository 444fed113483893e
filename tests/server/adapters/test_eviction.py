# SPDX-License-Identifier: Apache-2.0
"""Who is evicted first: by use, size and age, whatever happened before."""

from hypothesis import given
from hypothesis import strategies as st

from tabard_server.adapters.eviction import EvictionOrder

NAMES = st.sampled_from("abcdef")
STEPS = st.lists(
    st.tuples(st.sampled_from(("use", "evict", "remove")), NAMES, st.integers(0, 1_000)),
    max_size=60,
)


def order(**sizes: int) -> EvictionOrder[str]:
    """Keep things of these sizes, in this order."""
    kept: EvictionOrder[str] = EvictionOrder(trip_size=100)
    for name, size in sizes.items():
        kept.add(name, size=size)
    return kept


def walk(steps: list[tuple[str, str, int]]) -> EvictionOrder[str]:
    """Do something at random; what is used and not kept is added."""
    kept = order()
    for step, name, size in steps:
        if name not in kept:
            kept.add(name, size=size)
        elif step == "use":
            kept.use(name)
        elif step == "evict":
            kept.evict(name)
        else:
            kept.remove(name)
    return kept


def test_equals_go_in_order_of_use() -> None:
    """Of equal size and use, what was used longest ago goes first."""
    kept = order(a=10, b=10, c=10)
    for name in "bac":
        kept.use(name)

    assert kept.in_order() == ["b", "a", "c"]


def test_often_used_stays_longer() -> None:
    """An old friend outlives a newcomer."""
    kept = order(a=10)
    for _ in range(3):
        kept.use("a")
    kept.add("b", size=10)

    assert kept.in_order() == ["b", "a"]


def test_large_goes_before_small() -> None:
    """Used alike, what frees most goes first, however lately it was used."""
    kept = order(small=10, large=1_000)

    assert kept.in_order() == ["large", "small"]


def test_favoured_go_last() -> None:
    """Whatever its size and use, a favoured one outlives all others."""
    kept = order(large=1_000, small=10)

    assert kept.in_order(favoured={"large"}) == ["small", "large"]
    assert kept.victims(excess=5, favoured={"large"}) == ["small"]


def test_fame_fades() -> None:
    """What was once used a lot and is no longer gives way, after enough others have."""
    kept = order(star=10)
    for _ in range(20):
        kept.use("star")
    evictions = 0
    while "star" in kept and evictions < 100:
        kept.add(str(evictions), size=10)
        kept.evict(kept.in_order()[0])
        evictions += 1

    assert 10 < evictions < 40


def test_removal_ages_nothing() -> None:
    """A withdrawn release says nothing about how long others should stay."""
    kept = order(a=10, b=10)
    for _ in range(9):
        kept.use("b")
    kept.remove("b")
    kept.add("c", size=10)

    assert kept.in_order() == ["a", "c"]


@given(STEPS, st.sets(NAMES), st.sets(NAMES), st.integers(-100, 4_000))
def test_victims_are_just_enough(
    steps: list[tuple[str, str, int]], held: set[str], favoured: set[str], excess: int
) -> None:
    """They free what is asked, none of them needlessly, never the held, favoured ones last."""
    kept = walk(steps)
    order = kept.in_order(favoured=favoured)
    sizes = {name: kept._kept[name].size for name in order}
    free = [name for name in order if name not in held]

    victims = kept.victims(excess=excess, held=held, favoured=favoured)

    assert kept.size == sum(sizes.values())
    if victims is None:
        assert sum(sizes[name] for name in free) < max(excess, 1)
        return
    assert victims == free[: len(victims)]
    assert sum(sizes[name] for name in victims) >= excess
    assert not victims or sum(sizes[name] for name in victims[:-1]) < excess
    if favoured & set(victims):
        assert set(free) - favoured <= set(victims)


@given(STEPS, NAMES)
def test_use_never_brings_eviction_nearer(steps: list[tuple[str, str, int]], name: str) -> None:
    """Whatever happened before: a use moves nothing up the queue but others."""
    kept = walk(steps)
    if name not in kept:
        kept.add(name, size=10)
    before = kept.in_order().index(name)

    kept.use(name)

    assert kept.in_order().index(name) >= before
