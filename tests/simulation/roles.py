# SPDX-License-Identifier: Apache-2.0
"""Those who follow the log: readers, writers of checkpoints, collectors of garbage."""

from __future__ import annotations

from tabard_registry import Author, Registry
from tabard_registry.errors import CorruptRegistry, NotFound, StoreUnavailable
from tabard_registry.release.release import Release
from tabard_registry.upkeep.garbage import collect
from tests.simulation.process import World
from tests.simulation.wishes import TALLY


class Reader:
    """Follows the log; whatever was acknowledged before it looks, it must see, and its bytes."""

    def __init__(self, world: World, *, looks: int) -> None:
        self._world = world
        self._left = looks

    def go_on(self, registry: Registry, *, owner: str) -> None:
        """Look again and again."""
        while self._left > 0:
            self._left -= 1
            floor = self._world.ledger.acknowledged_seq
            try:
                registry.refresh()
                self._world.ledger.see(owner, registry.state, floor=floor)
                self._load(registry, owner=owner)
            except StoreUnavailable:
                self._world.ledger.counts["reader waits"] += 1
            self._world.think()

    def _load(self, registry: Registry, *, owner: str) -> None:
        lines = [line for name, line in registry.state.adapters.items() if name != TALLY]
        releases = [one for line in lines for one in line.releases if not one.purged]
        if not releases:
            return
        release = self._world.rng.choice(releases)
        try:
            for digest in release.blobs:
                registry.blobs.read(digest, bytes_max=1 << 20)
        except (NotFound, CorruptRegistry) as error:
            registry.refresh()
            if not _is_purged(registry, release):
                self._world.ledger.complaints.append(f"{owner} cannot load {release}: {error}")
        else:
            self._world.ledger.counts["releases loaded"] += 1


class Checkpointer:
    """Follows the log and keeps checkpoints, as every server may."""

    def __init__(self, world: World, *, looks: int) -> None:
        self._world = world
        self._left = looks

    def go_on(self, registry: Registry, *, owner: str) -> None:
        """Look, keep, wait; again and again."""
        while self._left > 0:
            self._left -= 1
            try:
                registry.refresh()
                self._world.ledger.see(owner, registry.state)
                self._world.ledger.counts["checkpoints kept"] += registry.checkpoint() is not None
            except StoreUnavailable:
                self._world.ledger.counts["checkpointer waits"] += 1
            self._world.think()


class Collector:
    """Deletes what no release needs, with no regard to its age."""

    def __init__(self, world: World, *, rounds: int) -> None:
        self._world = world
        self._left = rounds

    def go_on(self, registry: Registry, *, owner: str) -> None:
        """Collect, wait; again and again. Sometimes with an old idea of what there is."""
        while self._left > 0:
            self._left -= 1
            rng, counts = self._world.rng, self._world.ledger.counts
            age = rng.choice((0.0, 0.0, 0.2))
            try:
                if rng.random() < 0.7:
                    registry.refresh()
                found = collect(
                    registry,
                    min_age_seconds=age,
                    dry_run=False,
                    author=Author(actor="gc"),
                    workers=1,
                )
            except StoreUnavailable:
                counts["collector waits"] += 1
            else:
                counts["blobs collected"] += found.blobs
                counts["blobs spared"] += found.spared
                counts["leftovers deleted"] += found.leftovers
                counts["collections finished for others"] += len(found.finished)
                self._world.ledger.see(owner, registry.state)
            self._world.think()


def _is_purged(registry: Registry, release: Release) -> bool:
    return registry.state.adapters[release.adapter].by_digest[release.digest].purged
