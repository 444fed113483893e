# SPDX-License-Identifier: Apache-2.0
"""One history: processes act on one bucket until all is quiet, then everything is checked.

From a seed to a `World` whose checks have passed, or to a failure that says how to replay it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tabard_registry.checkpoint.files import HINT_KEY
from tests.simulation.process import Process, Role, World
from tests.simulation.promises.checks import check_world
from tests.simulation.promises.ledger import Intent
from tests.simulation.roles import Checkpointer, Collector, Reader
from tests.simulation.writer import Writer
from tests.tally import Tally


class HistoryFailed(AssertionError):
    """A history broke a promise; the message says which, and how to see it again."""

    def __init__(self, seed: int, complaints: list[str], *, world: World) -> None:
        told = "\n  ".join(complaints[:10])
        super().__init__(
            f"seed {seed}:\n  {told}\nreplay with: make simulate ARGS='--seed {seed} --trace'"
        )
        self.seed = seed
        self.complaints = complaints
        self.world = world


def run_history(seed: int) -> World:
    """Run the history of a seed, and check it.

    Raises:
        HistoryFailed: A promise was broken.
    """
    world = World(seed)
    for name, role in _cast(world):
        process = Process(world, role, name=name)
        world.scheduler.spawn(process.run, after=world.rng.uniform(0, 0.1))
    if world.rng.random() < 0.2:
        world.scheduler.after(world.rng.uniform(0.2, 3.0), lambda: _rot(world))
    try:
        world.scheduler.run()
        complaints = check_world(world)
    except Exception as error:
        raise HistoryFailed(seed, [repr(error)], world=world) from error
    if complaints:
        raise HistoryFailed(seed, complaints, world=world)
    return world


def run_chunk(seeds: Iterable[int]) -> Tally:
    """Run the histories of some seeds."""
    tally = Tally()
    for seed in seeds:
        try:
            world = run_history(seed)
        except HistoryFailed as error:
            world = error.world
            tally.failures.append(str(error))
        _count(world, tally)
    return tally


def _count(world: World, tally: Tally) -> None:
    tally.count("histories")
    tally.count("store calls and turns", world.scheduler.events)
    tally.count("records", sum(key.startswith("log/") for key in world.bucket.objects))
    tally.counts.update(world.ledger.counts)
    for _, _, verb, _, fate, *_ in world.events:
        if verb != "told" and isinstance(fate, str) and fate != "applied":
            tally.count(f"{verb}: {fate}")


def _rot(world: World) -> None:
    """Damage something derived: the registry must do without it."""
    derived = [k for k in world.bucket.objects if k.startswith("checkpoint/") or k == HINT_KEY]
    if derived:
        key = world.rng.choice(sorted(derived))
        content = world.bucket.objects[key]
        damages = (content[: len(content) // 2], b"", b"[]", content + b"\0")
        world.bucket.objects[key] = world.rng.choice(damages)
        world.rotten.add(key)
        world.trace("nature", "rot", key, "damaged")


def _cast(world: World) -> list[tuple[str, Role]]:
    shared: list[Intent] = []
    rng = world.rng
    cast: list[tuple[str, Role]] = []
    for number in range(rng.randint(3, 5)):
        wishes = rng.randint(2, 7)
        cast.append((f"writer{number}", Writer(world, number=number, wishes=wishes, shared=shared)))
    for number in range(rng.randint(1, 2)):
        cast.append((f"reader{number}", Reader(world, looks=rng.randint(2, 10))))
    for number in range(rng.randint(0, 2)):
        cast.append((f"checkpointer{number}", Checkpointer(world, looks=rng.randint(1, 4))))
    for number in range(rng.choice((0, 1, 1, 2))):
        cast.append((f"collector{number}", Collector(world, rounds=rng.randint(1, 4))))
    return cast
