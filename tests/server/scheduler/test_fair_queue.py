# SPDX-License-Identifier: Apache-2.0
"""The order in which whatever waits is served, and what a look at it costs."""

from dataclasses import dataclass, replace

from tabard_server.scheduler.claims import Claim, Priority, Weights
from tabard_server.scheduler.fair_queue import FairQueue, Turns


@dataclass(frozen=True)
class Waiting:
    """Somebody with a name."""

    name: str
    claim: Claim
    kind: str = ""
    key: int = 0


def waiting(name: str, **said: object) -> Waiting:
    """Return an entry; the first letter of its name is its tenant."""
    return Waiting(name, Claim(tenant=name[0], **said))  # type: ignore[arg-type]


def order(*entries: Waiting, ahead: dict[str, float] | None = None, **weights: float) -> str:
    """Return the names in the order of their turns."""
    queue = FairQueue(replace(entry, key=number) for number, entry in enumerate(entries))
    walks = [
        queue.turns(
            is_background=is_background, ahead=ahead or {}, weights=Weights(by_tenant=weights)
        )
        for is_background in (False, True)
    ]
    return " ".join(one.name for walk in walks for one in walk)


def test_tenants_take_turns() -> None:
    """However many one of them has."""
    assert order(*map(waiting, ("a1", "a2", "a3", "b1"))) == "a1 b1 a2 a3"


def test_turns_are_by_work_not_by_count() -> None:
    """One large image is as much as four small ones."""
    entries = [waiting("a1", work=4.0), waiting("a2", work=4.0)]
    entries += [waiting(f"b{n}", work=1.0) for n in range(1, 7)]

    assert order(*entries) == "a1 b1 b2 b3 b4 a2 b5 b6"


def test_weight_is_more_turns() -> None:
    """Twice the weight is twice the work."""
    entries = [waiting(f"{tenant}{n}") for n in (1, 2, 3, 4) for tenant in "ab"]

    assert order(*entries, b=2.0) == "a1 b1 b2 a2 b3 b4 a3 a4"


def test_who_had_more_comes_later() -> None:
    """What a tenant had before counts."""
    assert order(waiting("a1"), waiting("b1"), ahead={"a": 0.5}) == "b1 a1"


def test_priority_counts_within_a_tenant() -> None:
    """It pushes aside nobody else."""
    entries = (
        waiting("a1"),
        waiting("b1", priority=Priority.LOW),
        waiting("a2", priority=Priority.HIGH),
    )

    assert order(*entries) == "b1 a2 a1"


def test_background_comes_last() -> None:
    """Below the lowest priority of whoever had most."""
    entries = (waiting("a1", priority=Priority.BACKGROUND), waiting("b1", priority=Priority.LOW))

    assert order(*entries, ahead={"b": 9.0}) == "b1 a1"


def queue_of(*entries: Waiting) -> FairQueue[Waiting]:
    """Return a queue of these, in the order of their coming."""
    return FairQueue(replace(entry, key=number) for number, entry in enumerate(entries))


def walk(queue: FairQueue[Waiting]) -> Turns[Waiting]:
    """Begin a walk through a queue."""
    return queue.turns(is_background=False, ahead={}, weights=Weights())


def test_who_leaves_is_not_seen() -> None:
    """And nothing is kept of a tenant that has nobody there."""
    queue = queue_of(*map(waiting, ("a1", "b1", "a2")))
    first, second, third = walk(queue)

    queue.remove(second)
    assert [one.name for one in walk(queue)] == ["a1", "a2"]
    assert {*queue.tenants(is_background=False)} == {"a"}
    queue.remove(first)
    queue.remove(third)

    assert (len(queue), list(queue)) == (0, [])
    assert not queue.tenants(is_background=False)


def test_who_comes_back_has_its_old_place() -> None:
    """Its key says when it came."""
    queue = queue_of(*map(waiting, ("a1", "a2")))
    first = next(walk(queue))

    queue.remove(first)
    queue.add(first)

    assert [one.name for one in walk(queue)] == ["a1", "a2"]


def test_closed_lane_is_seen_no_more() -> None:
    """Others of its tenant are, and that kind of other tenants."""
    entries = [replace(waiting(name), kind=name[1:]) for name in ("alarge", "asmall", "blarge")]
    entries += [replace(waiting("a3"), kind="large")]
    turns = walk(queue_of(*entries))

    turns.close(next(turns))

    assert [one.name for one in turns] == ["blarge", "asmall"]


def test_closed_tenant_is_seen_no_more() -> None:
    """Whatever else of it waits."""
    turns = walk(queue_of(*map(waiting, ("a1", "a2", "b1", "a3"))))

    turns.close_tenant(next(turns))

    assert [one.name for one in turns] == ["b1"]


def test_walk_passes_by_a_few() -> None:
    """Of ten thousand that lack something it looks at some, and goes on with other tenants."""
    turns = walk(queue_of(*(waiting(f"a{n}") for n in range(10_000)), waiting("b1")))

    seen = []
    for entry in turns:
        seen.append(entry.name)
        if entry.name.startswith("a"):
            turns.pass_by(entry)

    assert "b1" in seen
    assert len(seen) < 20


def test_look_at_the_first_looks_at_nobody_else() -> None:
    """The order of ten thousand is known without looking at their keys."""
    looks = []

    @dataclass(frozen=True)
    class Watched(Waiting):
        def __getattribute__(self, name: str) -> object:
            if name == "claim":
                looks.append(self)
            return super().__getattribute__(name)

    queue = FairQueue(Watched(f"a{n}", Claim(tenant="a"), key=n) for n in range(10_000))
    looks.clear()

    assert next(walk(queue)).name == "a0"
    assert len(looks) < 5
