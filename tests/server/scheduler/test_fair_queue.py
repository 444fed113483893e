# SPDX-License-Identifier: Apache-2.0
"""The order in which whatever waits is served, and what a look at it costs."""

from dataclasses import dataclass, replace

from tabard_server.scheduler.claims import Claim, Priority, Weights
from tabard_server.scheduler.fair_queue import FairQueue


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
