# SPDX-License-Identifier: Apache-2.0
"""Races creates of one object against each other: threads that start together, one may win.

Asking twice in a row proves little: a store may check first and write later.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from tabard_registry.errors import StoreUnavailable
from tabard_registry.store.store import Outcome, Store
from tabard_registry.upkeep.doctor.diagnosis import Check
from tabard_registry.upkeep.doctor.trial_objects import TrialObjects

CONTESTANTS = 16
"""Creates of one race."""

SINGLE_WRITER_HINT = (
    "Use another store; or let one server alone write there, and say so: `--single-writer`, "
    "TABARD_SINGLE_WRITER=true."
)

_BODY_BYTES_MAX = 1 << 16
_BODY_BYTES = 512
_START_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """How one race ended.

    Attributes:
        key: The object.
        winners: Bodies whose create was told to have made the object.
        undecided: Creates whose outcome the store left open, or that it refused.
        held: What the object held when all were done.
    """

    key: str
    winners: tuple[bytes, ...]
    undecided: int
    held: bytes | None


def run_races(trials: TrialObjects, *, rounds: int) -> Check:
    """Race `rounds` times, and judge.

    Raises:
        StoreUnavailable: The store did not answer a read.
    """
    races = [_race(trials.store, trials.key(f"race-{number}")) for number in range(rounds)]
    again = trials.store.read_many([race.key for race in races], bytes_max=_BODY_BYTES_MAX)
    wrong = [told for race, last in zip(races, again, strict=True) if (told := _judge(race, last))]
    decided = sum(len(race.winners) == 1 for race in races)
    if wrong:
        worst = max(wrong, key=lambda told: told[0])[1]
        return Check(
            name="racing create",
            verdict="fail",
            detail=f"{len(wrong)} of {rounds} races of {CONTESTANTS} went wrong: {worst}",
            remedy=f"Two servers would overwrite each other's records. {SINGLE_WRITER_HINT}",
        )
    if decided == 0:
        return Check(
            name="racing create",
            verdict="fail",
            detail=f"none of {rounds} races of {CONTESTANTS} was decided: the store left it open",
            remedy="Examine it again when the store is in order.",
        )
    return Check(
        name="racing create",
        verdict="ok",
        detail=f"{decided} of {rounds} races of {CONTESTANTS} had one winner"
        + (", the others none that was told" if decided < rounds else ""),
    )


def _race(store: Store, key: str) -> Race:
    bodies = [f"contestant {n} of {key}\n".encode().ljust(_BODY_BYTES) for n in range(CONTESTANTS)]
    outcomes: list[Outcome | None] = [None] * CONTESTANTS
    gate = threading.Barrier(CONTESTANTS)

    def contest(number: int) -> None:
        try:
            gate.wait(_START_SECONDS_MAX)
            outcomes[number] = store.create(key, body=bodies[number])
        except (StoreUnavailable, threading.BrokenBarrierError):
            outcomes[number] = Outcome.UNKNOWN

    threads = [threading.Thread(target=contest, args=(n,)) for n in range(CONTESTANTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Race(
        key=key,
        winners=_bodies_of(Outcome.CREATED, outcomes, bodies),
        undecided=len(_bodies_of(Outcome.UNKNOWN, outcomes, bodies)),
        held=store.read(key, bytes_max=_BODY_BYTES_MAX),
    )


def _bodies_of(
    wanted: Outcome, outcomes: Sequence[Outcome | None], bodies: Sequence[bytes]
) -> tuple[bytes, ...]:
    return tuple(body for outcome, body in zip(outcomes, bodies, strict=True) if outcome is wanted)


def _judge(race: Race, last: bytes | None) -> tuple[int, str] | None:
    """Tell what is wrong with a race, and how bad it is; None when nothing is."""
    if len(race.winners) > 1:
        return len(race.winners), f"{len(race.winners)} creates were told that they had won"
    if race.winners and race.held != race.winners[0]:
        return 1, "the object does not hold what the winner wrote"
    if last != race.held:
        return 1, "the object changed after the race was over"
    if not race.winners and not race.undecided:
        return 1, "everybody was told that the object was there already"
    return None
