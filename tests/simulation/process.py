# SPDX-License-Identifier: Apache-2.0
"""One process of the simulation: a registry on a store of its own, which may die and restart.

What a process is to do outlives it: its role goes on with the next incarnation.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Protocol

from tabard_registry import Registry
from tabard_registry.errors import StoreUnavailable
from tabard_registry.log.slots import LogLimits
from tests.simulation.bad_store.bucket import Bucket
from tests.simulation.bad_store.fault_rates import FaultRates
from tests.simulation.bad_store.scheduler import Crashed, Scheduler
from tests.simulation.bad_store.store import FaultyStore
from tests.simulation.promises.ledger import Ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
OPEN_ATTEMPTS_MAX = 50
THINK_SECONDS = 0.05


class World:
    """All that the processes of one history share.

    Attributes:
        rng: The one source of chance.
        scheduler: Whose turn it is.
        bucket: The objects.
        rates: How bad the store is.
        limits: How patient writers are.
        ledger: What callers were told.
        rotten: Derived objects that were damaged on purpose.
        events: What happened, in order.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.scheduler = Scheduler()
        self.bucket = Bucket(lambda: self.scheduler.now)
        self.rates = FaultRates.draw(self.rng)
        self.limits = LogLimits(slot_attempts_max=self.rng.choice((2, 4, 12)), act_attempts_max=40)
        self.ledger = Ledger()
        self.rotten: set[str] = set()
        self.events: list[tuple[object, ...]] = []

    def trace(self, *event: object) -> None:
        """Note what happened, for whoever replays the seed."""
        self.events.append((round(self.scheduler.now, 4), *event))

    def think(self) -> None:
        """Let the running process do something else for a while."""
        self.scheduler.sleep(self.rng.expovariate(1 / THINK_SECONDS))

    def store(
        self, owner: str, *, rates: FaultRates | None = None, bucket: Bucket | None = None
    ) -> FaultyStore:
        """Connect a process to the bucket."""
        return FaultyStore(
            bucket or self.bucket,
            owner=owner,
            scheduler=self.scheduler,
            rates=rates or self.rates,
            rng=self.rng,
            trace=self.trace,
        )

    def open(self, owner: str, *, rates: FaultRates | None = None) -> Registry:
        """Open the registry as a new process, with a clock that is wrong in its own way."""
        skew = timedelta(seconds=self.rng.uniform(-3600, 3600))
        ids = iter(range(1, 1_000_000))
        return Registry.open(
            self.store(owner, rates=rates),
            clock=lambda: START + skew + timedelta(seconds=self.scheduler.now),
            new_id=lambda: f"{owner}-{next(ids)}",
            limits=self.limits,
            sleep=self.scheduler.sleep,
            rng=self.rng,
        )


class Role(Protocol):
    """What a process does, over all its incarnations."""

    def go_on(self, registry: Registry, *, owner: str) -> None:
        """Do what is left to do."""
        ...


class Process:
    """Runs a role, and starts again after each crash."""

    def __init__(self, world: World, role: Role, *, name: str) -> None:
        self._world = world
        self._role = role
        self._name = name

    def run(self) -> None:
        """Live until the role is done."""
        incarnation = 0
        while True:
            incarnation += 1
            owner = f"{self._name}.{incarnation}"
            try:
                registry = self._open(owner)
                if registry is not None:
                    self._role.go_on(registry, owner=owner)
                return
            except Crashed:
                self._world.ledger.counts["crash"] += 1
                self._world.scheduler.sleep(self._world.rng.expovariate(1.0))

    def _open(self, owner: str) -> Registry | None:
        for _ in range(OPEN_ATTEMPTS_MAX):
            try:
                return self._world.open(owner)
            except StoreUnavailable:
                self._world.scheduler.sleep(self._world.rng.expovariate(1.0))
        return None
